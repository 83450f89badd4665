"""The namespaces around the ops: torch.cuda, torch.backends, what is absent, switches, devices, seeds."""

import copy
import pickle
import warnings

import numpy as np
import pytest

import polytensor as pt

# each line has the same repr, or the same class of error, in CPU-only PyTorch
LINES = r"""
torch.manual_seed(-1).initial_seed()
torch.manual_seed(2**64-1).initial_seed()
torch.manual_seed(2**64)
torch.manual_seed(-2**63).initial_seed()
torch.manual_seed(-2**63-1)
torch.manual_seed(1.5).initial_seed()
torch.manual_seed('a')
torch.manual_seed(torch.tensor(3)).initial_seed()
torch.Generator().manual_seed(1.5)
torch.Generator().device
torch.Generator('cpu').device
torch.Generator(device='cuda')
torch.Generator(device=torch.device('cpu')).initial_seed()
torch.Generator().get_state().dtype
torch.Generator().set_state(torch.Generator().manual_seed(3).get_state()).initial_seed()
torch.Generator().set_state(3)
torch.Generator().set_state(torch.zeros(3))
torch.Generator().set_state(torch.zeros(3,dtype=torch.uint8))
torch.Generator().clone_state().initial_seed()
torch.initial_seed() if torch.manual_seed(3) else 0
type(torch.seed())
type(torch.random.seed())
torch.get_rng_state().dtype
torch.set_rng_state(3)
torch.cuda.manual_seed(3)
torch.cuda.manual_seed_all(3)
torch.cuda.is_available()
torch.cuda.device_count()
torch.cuda.current_device()
torch.cuda.get_device_name()
torch.cuda.get_device_name(0)
torch.cuda.get_device_properties(0)
torch.cuda.get_device_capability()
torch.cuda.synchronize()
torch.cuda.memory_allocated()
torch.cuda.max_memory_allocated()
torch.cuda.memory_reserved()
torch.cuda.max_memory_reserved()
torch.cuda.memory_stats()
torch.cuda.empty_cache()
torch.cuda.ipc_collect()
torch.cuda.Stream()
torch.cuda.Event()
torch.cuda.Event(enable_timing=True)
torch.cuda.Event().record()
torch.cuda.current_stream()
torch.cuda.default_stream()
torch.cuda.set_stream(None)
torch.cuda.set_device('cpu')
torch.cuda.set_device(-1)
torch.cuda.device_of(torch.ones(2)).__enter__()
torch.cuda.initial_seed()
torch.cuda.is_initialized()
torch.cuda.init()
torch.cuda.get_rng_state()
torch.cuda.get_rng_state_all()
torch.cuda.set_rng_state_all([])
torch.cuda.seed()
torch.cuda.seed_all()
torch.cuda.is_bf16_supported()
torch.cuda.mem_get_info()
torch.cuda.get_arch_list()
torch.cuda.can_device_access_peer(0,1)
torch.cuda.nvtx.range_push('a')
torch.cuda.nvtx.mark('a')
torch.cuda.OutOfMemoryError is torch.OutOfMemoryError
torch.AcceleratorError.__mro__[1:]
torch.cuda.get_per_process_memory_fraction()
torch.cuda.set_per_process_memory_fraction(0.5)
torch.cuda.memory_stats_as_nested_dict()
torch.cuda.host_memory_stats()
torch.cuda.list_gpu_processes()
torch.cuda.utilization()
torch.cuda.temperature()
torch.cuda.current_blas_handle()
torch.cuda.get_sync_debug_mode()
torch.cuda.set_sync_debug_mode('warn')
torch.cuda.default_generators
torch.cuda.has_half
torch.cuda.get_gencode_flags()
torch.cuda.profiler.start()
torch.cuda.get_stream_from_external(3)
torch.cuda.stream(None).__enter__()
torch.cuda.max_memory_allocated('cpu')
torch.accelerator.memory_allocated()
torch.accelerator.current_stream()
torch.accelerator.empty_cache()
torch.accelerator.get_memory_info()
torch.accelerator.device_index(None).__enter__()
torch.accelerator.device_index(0).__enter__()
torch.cpu.Stream(3).wait_stream(1)
torch.cpu.stream(torch.cpu.Stream()).__enter__()
torch.cpu.set_device('cpu')
torch.cpu.Event().query()
torch.Stream()
torch.Stream(device='cpu',priority=1).query()
torch.Stream('cpu').synchronize()
torch.Stream('cpu').wait_stream(torch.Stream('cpu'))
torch.Stream('cpu').record_event()
torch.Stream('cuda')
torch.Stream(3)
torch.Stream('cpu').__enter__()
torch.Stream('cpu')==torch.Stream('cpu')
torch.Stream('cpu').wait_event(torch.Event('cpu'))
torch.Stream('cpu').device_index
torch.Event()
torch.Event(device='cpu',enable_timing=True)
torch.Event('cuda')
torch.Event('cpu').record()
torch.Event('cpu').query()
torch.Event('cpu').wait()
torch.Event('cpu').device
torch.Event('cpu').elapsed_time(torch.Event('cpu'))
torch.Event('cpu',enable_timing=True).elapsed_time(torch.Event('cpu',enable_timing=True))
torch.ones(2).pin_memory()
torch.ones(2).is_pinned()
torch.empty(2, pin_memory=True)
torch.ones(2).__dlpack__(stream='a')
torch.ones(2).__dlpack__(stream=5)
torch.backends.mps.is_available()
torch.backends.mps.is_built()
torch.backends.cudnn.is_available()
torch.backends.cudnn.version()
torch.backends.cudnn.enabled
torch.backends.cudnn.benchmark
torch.backends.cudnn.deterministic
torch.backends.cudnn.benchmark_limit
torch.backends.cuda.matmul.allow_tf32
torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction
torch.backends.cuda.flash_sdp_enabled()
torch.backends.cuda.math_sdp_enabled()
torch.backends.cuda.mem_efficient_sdp_enabled()
torch.backends.cuda.enable_flash_sdp(True)
torch.backends.cuda.is_flash_attention_available()
torch.backends.cuda.fp16_bf16_reduction_math_sdp_allowed()
torch.backends.mkl.is_available() in (True,False)
torch.backends.mkldnn.is_available() in (True,False)
torch.backends.mkldnn.enabled
torch.backends.openmp.is_available() in (True,False)
torch.backends.opt_einsum.is_available() in (True,False)
torch.backends.opt_einsum.strategy
torch.backends.cpu.get_cpu_capability().__class__
torch.backends.cudnn.flags(enabled=False).__enter__()
torch.backends.mkldnn.flags(enabled=True).__enter__(), torch.backends.mkldnn.enabled
torch.backends.mha.get_fastpath_enabled()
torch.mps.is_available()
torch.mps.device_count()
torch.mps.empty_cache()
torch.mps.synchronize()
torch.mps.current_allocated_memory()
torch.xpu.is_available()
torch.xpu.device_count()
torch.version.cuda
torch.version.hip
torch.version.debug
torch.get_default_device()
torch.jit.is_scripting()
torch.jit.is_tracing()
torch.distributed.is_available() and False
torch.distributed.is_initialized()
torch.distributed.is_torchelastic_launched()
torch.distributed.get_rank()
torch.distributed.get_world_size()
torch.distributed.barrier()
torch.distributed.all_reduce(torch.ones(2))
torch.get_float32_matmul_precision()
torch.set_float32_matmul_precision('medium')
torch.set_float32_matmul_precision('foo')
torch.set_float32_matmul_precision('highest')
torch.are_deterministic_algorithms_enabled()
torch.use_deterministic_algorithms(True)
torch.use_deterministic_algorithms(False,warn_only=True)
torch.is_deterministic_algorithms_warn_only_enabled()
torch.get_deterministic_debug_mode()
torch.set_deterministic_debug_mode('default')
torch.set_deterministic_debug_mode(5)
torch.set_num_threads(0)
torch.set_num_threads('a')
torch.set_num_interop_threads(-1)
torch.get_num_interop_threads().__class__
torch.set_flush_denormal(False).__class__
torch.is_tensor(3)
torch.is_storage(3)
torch.is_nonzero(torch.tensor(3))
torch.is_nonzero(torch.ones(2))
torch.is_nonzero(torch.ones(0))
torch.is_nonzero(3)
torch.numel(torch.ones(2,3))
torch.numel(3)
torch.is_complex(torch.ones(2))
torch.is_floating_point(torch.ones(2))
torch.is_complex(3)
torch.is_conj(torch.ones(2))
torch.is_neg(torch.ones(2))
torch.is_inference(torch.ones(2))
torch.is_same_size(torch.ones(2),torch.ones(3))
torch.is_grad_enabled()
torch.Size([1,2,3])
torch.Size((1,2)).numel()
torch.Size([])
torch.Size()
torch.Size([1])+(2,)
torch.Size([1])+[2]
(1,)+torch.Size([2])
torch.Size([1])*2
2*torch.Size([1])
torch.Size([1,2,3])[1:]
torch.Size([1,2,3])[1]
torch.Size([1,2,3])[-1:]
str(torch.Size([1,2,3]))
torch.Size([1,2])==(1,2)
torch.Size([1,2])==[1,2]
hash(torch.Size([1,2]))==hash((1,2))
torch.Size([1.5])
torch.Size(['a'])
torch.Size([True])
torch.Size(3)
torch.Size([torch.tensor(3)])
torch.Size([1,2]).count(1)
torch.Size([1,2]).index(2)
pickle.loads(pickle.dumps(torch.Size([1,2])))
isinstance(torch.Size([1]),tuple)
f'{torch.Size([1,2])}'
'%s' % (torch.Size([1,2]),)
torch.typename(torch.ones(2))
torch.typename(3)
torch.typename(torch.nn.Parameter(torch.ones(2)))
torch.typename(torch.float32)
torch.memory_format
torch.contiguous_format
torch.channels_last
torch.preserve_format
torch.channels_last_3d
torch.strided
torch.sparse_coo
torch.spmm(torch.ones(2,3),torch.ones(3,2))
torch.sparse.mm(torch.ones(2,3),torch.ones(3,2))
torch.sparse.mm(torch.ones(2,3),torch.ones(2,3))
torch.sparse.addmm(torch.ones(2,2),torch.ones(2,3),torch.ones(3,2),beta=2,alpha=3)
torch.ones(2).to_dense()
torch.ones(2).to_dense(torch.float64)
torch.layout
torch.float32.is_signed
pickle.loads(pickle.dumps(torch.float32))
pickle.loads(pickle.dumps(torch.strided)) is torch.strided
pickle.loads(pickle.dumps(torch.channels_last)) is torch.channels_last
copy.deepcopy(torch.float32) is torch.float32
copy.deepcopy(torch.channels_last) is torch.channels_last
copy.copy(torch.float32) is torch.float32
torch.device('cpu')
torch.device('cpu',0)
torch.device('cpu:0')
torch.device('cuda')
torch.device('cuda:1')
torch.device('cuda',1)
torch.device('cuda:1').index
torch.device('cuda').index
torch.device(type='cuda',index=0)
torch.device('foo')
torch.device('')
torch.device('cuda:a')
torch.device('cuda:-1')
torch.device('cuda:1',2)
torch.device(3)
torch.device(None)
torch.device()
torch.device(torch.device('cpu'))
torch.device('cpu')==torch.device('cpu')
torch.device('cpu')=='cpu'
torch.device('cuda')==torch.device('cuda:0')
str(torch.device('cuda:1'))
torch.device('mps')
torch.device('cpu').type
torch.device('cpu').index
hash(torch.device('cpu'))==hash(torch.device('cpu'))
pickle.loads(pickle.dumps(torch.device('cuda:1')))
copy.deepcopy(torch.device('cpu'))
isinstance(torch.device('cpu'),torch.device)
torch.finfo(torch.float32).eps
torch.get_default_dtype()
torch.set_default_dtype(3)
torch.result_type(torch.tensor([1]),1.0)
torch.result_type(torch.tensor([1],dtype=torch.int8),torch.tensor(1000))
torch.result_type(1,2)
torch.result_type(1.,True)
torch.result_type(1j,1)
torch.result_type('a',1)
torch.can_cast(torch.float32,torch.int32)
torch.can_cast(torch.float32,3)
torch.promote_types(torch.float32,3)
torch.set_printoptions(foo=3)
torch.set_default_device('cpu')
torch.compiled_with_cxx11_abi().__class__
torch.cuda.is_available.__class__.__name__
torch.pi
torch.newaxis
torch.e==2.718281828459045
torch.inf
torch.nan
torch.is_distributed(torch.ones(2))
torch.is_warn_always_enabled()
torch.set_warn_always(False)
torch.accelerator.is_available()
torch.accelerator.current_accelerator()
torch.accelerator.device_count()
torch.cpu.is_available()
torch.cpu.device_count()
torch.cpu.synchronize()
torch.cpu.current_device()
torch.get_device_module().__name__.split('.')[-1]
torch.__config__.show().__class__
torch.__config__.parallel_info().__class__
torch.__version__.__class__.__mro__[-2]
torch.types.Number
torch.types.Device
torch.types._size
torch.is_vulkan_available()
"""


def outcome(module, text):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return "value", repr(eval(text, {"torch": module, "np": np, "copy": copy, "pickle": pickle}))
    except Exception as error:  # noqa: BLE001 any class is a result here
        return "error", type(error).__name__
    finally:
        if "set_default_device" in text:
            module.set_default_device(None)  # while one is set, PyTorch's encoder takes another path


@pytest.mark.skipif(pt.cuda.is_available(), reason="these are the answers of a machine without CUDA")
@pytest.mark.parametrize("text", dict.fromkeys(LINES.split("\n")[1:-1]))
def test_as_in_pytorch(oracle, text):
    assert outcome(pt, text) == outcome(oracle, text)


def test_attention_flags_hold_within_the_block(oracle):
    for t in (oracle, pt):
        cuda = t.backends.cuda
        with pytest.warns(FutureWarning, match=r"sdp_kernel\(\)` is deprecated"), cuda.sdp_kernel(enable_math=False):
            inside = cuda.math_sdp_enabled(), cuda.flash_sdp_enabled()
        assert inside == (False, True) and cuda.math_sdp_enabled()


@pytest.mark.parametrize(
    "make",
    [
        lambda: pt.eye(2).to_sparse(),
        lambda: pt.eye(2).to_sparse_csr(),
        lambda: pt.eye(2).coalesce(),
        lambda: pt.sparse_coo_tensor([[0], [1]], [1.0], (2, 2)),
        lambda: pt.sparse.mm(pt.eye(2), pt.eye(2), "sum"),
    ],
)
def test_sparse_tensors_are_refused_in_words(make):
    with pytest.raises(NotImplementedError, match="PolyTensor has no|does not have"):
        make()
