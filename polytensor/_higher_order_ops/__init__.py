"""torch._higher_order_ops: functions of functions, as far as they make sense without a compiler."""
