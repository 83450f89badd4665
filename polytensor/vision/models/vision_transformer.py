"""Vision Transformer. Source: torchvision.models.vision_transformer."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import polytensor as torch
from polytensor import Tensor, nn

from .weights import builder, weights_enum

_NORM = partial(nn.LayerNorm, eps=1e-6)


def _enum(name: str, plain: Any, fine: Any = None, linear: Any = None) -> Any:
    members = {"IMAGENET1K_V1": plain, "IMAGENET1K_SWAG_E2E_V1": fine, "IMAGENET1K_SWAG_LINEAR_V1": linear}
    members = {key: value for key, value in members.items() if value}
    return weights_enum(name, next(iter(members)), **members)


ViT_B_16_Weights = _enum(
    "ViT_B_16_Weights",
    ("vit_b_16-c867db91.pth",),
    ("vit_b_16_swag-9ac1b537.pth", 384, 384, True),
    ("vit_b_16_lc_swag-4e70ced5.pth", 224, 224, True),
)
ViT_B_32_Weights = _enum("ViT_B_32_Weights", ("vit_b_32-d86f8d99.pth",))
ViT_L_16_Weights = _enum(
    "ViT_L_16_Weights",
    ("vit_l_16-852ce7e3.pth", 224, 242),
    ("vit_l_16_swag-4f3808c9.pth", 512, 512, True),
    ("vit_l_16_lc_swag-4d563306.pth", 224, 224, True),
)
ViT_L_32_Weights = _enum("ViT_L_32_Weights", ("vit_l_32-c7638314.pth",))
ViT_H_14_Weights = _enum(
    "ViT_H_14_Weights",
    None,
    ("vit_h_14_swag-80465313.pth", 518, 518, True),
    ("vit_h_14_lc_swag-c1eb923e.pth", 224, 224, True),
)


class MLPBlock(nn.Sequential):
    """Linear, GELU, dropout, linear, dropout."""

    def __init__(self, in_dim: int, mlp_dim: int, dropout: float) -> None:
        wide, narrow = nn.Linear(in_dim, mlp_dim), nn.Linear(mlp_dim, in_dim)
        super().__init__(wide, nn.GELU(), nn.Dropout(dropout), narrow, nn.Dropout(dropout))
        for layer in (wide, narrow):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.normal_(layer.bias, std=1e-6)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        for old, new in (("linear_1", "0"), ("linear_2", "3")):  # the names of older files
            for key in [k for k in state_dict if k.startswith(f"{prefix}{old}.")]:
                state_dict[key.replace(f"{prefix}{old}.", f"{prefix}{new}.")] = state_dict.pop(key)
        super()._load_from_state_dict(state_dict, prefix, *args)


class EncoderBlock(nn.Module):
    """Self-attention and an MLP, each after a norm and beside a shortcut."""

    def __init__(
        self,
        num_heads: int,
        hidden_dim: int,
        mlp_dim: int,
        dropout: float,
        attention_dropout: float,
        norm_layer: Any = _NORM,
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.ln_1 = norm_layer(hidden_dim)
        self.self_attention = nn.MultiheadAttention(hidden_dim, num_heads, dropout=attention_dropout, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.ln_2 = norm_layer(hidden_dim)
        self.mlp = MLPBlock(hidden_dim, mlp_dim, dropout)

    def forward(self, input: Tensor) -> Tensor:
        x = self.ln_1(input)
        x, _ = self.self_attention(x, x, x, need_weights=False)
        x = self.dropout(x) + input
        return x + self.mlp(self.ln_2(x))


class Encoder(nn.Module):
    """Position embedding, blocks and a norm."""

    def __init__(
        self,
        seq_length: int,
        num_layers: int,
        num_heads: int,
        hidden_dim: int,
        mlp_dim: int,
        dropout: float,
        attention_dropout: float,
        norm_layer: Any = _NORM,
    ) -> None:
        super().__init__()
        self.pos_embedding = nn.Parameter(torch.empty(1, seq_length, hidden_dim).normal_(std=0.02))
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.Sequential()
        for i in range(num_layers):
            block = EncoderBlock(num_heads, hidden_dim, mlp_dim, dropout, attention_dropout, norm_layer)
            self.layers.add_module(f"encoder_layer_{i}", block)
        self.ln = norm_layer(hidden_dim)

    def forward(self, input: Tensor) -> Tensor:
        return self.ln(self.layers(self.dropout(input + self.pos_embedding)))


class VisionTransformer(nn.Module):
    """A transformer over patches (N, 3, image_size, image_size) and a class token."""

    def __init__(
        self,
        image_size: int,
        patch_size: int,
        num_layers: int,
        num_heads: int,
        hidden_dim: int,
        mlp_dim: int,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        num_classes: int = 1000,
        representation_size: int | None = None,
        norm_layer: Any = _NORM,
    ) -> None:
        super().__init__()
        if image_size % patch_size:
            raise AssertionError("Input shape indivisible by patch size!")
        self.image_size, self.patch_size, self.hidden_dim, self.mlp_dim = image_size, patch_size, hidden_dim, mlp_dim
        self.attention_dropout, self.dropout, self.num_classes = attention_dropout, dropout, num_classes
        self.representation_size, self.norm_layer = representation_size, norm_layer
        self.conv_proj = nn.Conv2d(3, hidden_dim, kernel_size=patch_size, stride=patch_size)
        self.seq_length = (image_size // patch_size) ** 2 + 1
        self.class_token = nn.Parameter(torch.zeros(1, 1, hidden_dim))
        self.encoder = Encoder(
            self.seq_length, num_layers, num_heads, hidden_dim, mlp_dim, dropout, attention_dropout, norm_layer
        )
        self.heads = nn.Sequential()
        if representation_size is not None:
            before = nn.Linear(hidden_dim, representation_size)
            nn.init.trunc_normal_(before.weight, std=math.sqrt(1 / hidden_dim))
            nn.init.zeros_(before.bias)
            self.heads.add_module("pre_logits", before)
            self.heads.add_module("act", nn.Tanh())
        head = nn.Linear(representation_size or hidden_dim, num_classes)
        self.heads.add_module("head", head)
        nn.init.trunc_normal_(self.conv_proj.weight, std=math.sqrt(1 / (3 * patch_size**2)))
        for x in (self.conv_proj.bias, head.weight, head.bias):
            nn.init.zeros_(x)

    def forward(self, x: Tensor) -> Tensor:
        for name, n in (("height", x.shape[2]), ("width", x.shape[3])):
            if n != self.image_size:
                raise AssertionError(f"Wrong image {name}! Expected {self.image_size} but got {n}!")
        x = self.conv_proj(x).flatten(2).permute(0, 2, 1)
        x = torch.cat([self.class_token.expand(x.shape[0], -1, -1), x], 1)
        return self.heads(self.encoder(x)[:, 0])


def _vit(
    patch: int, layers: int, heads: int, hidden: int, mlp: int, image_size: int = 224, **kwargs: Any
) -> VisionTransformer:
    return VisionTransformer(image_size, patch, layers, heads, hidden, mlp, **kwargs)


vit_b_16 = builder(ViT_B_16_Weights, "The base size, patches of 16 pixels.", _vit, 16, 12, 12, 768, 3072)
vit_b_32 = builder(ViT_B_32_Weights, "The base size, patches of 32 pixels.", _vit, 32, 12, 12, 768, 3072)
vit_l_16 = builder(ViT_L_16_Weights, "The large size, patches of 16 pixels.", _vit, 16, 24, 16, 1024, 4096)
vit_l_32 = builder(ViT_L_32_Weights, "The large size, patches of 32 pixels.", _vit, 32, 24, 16, 1024, 4096)
vit_h_14 = builder(ViT_H_14_Weights, "The huge size, patches of 14 pixels.", _vit, 14, 32, 16, 1280, 5120)
