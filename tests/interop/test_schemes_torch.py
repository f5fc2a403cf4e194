"""Schemes that have no random numbers, next to torch's own."""

import numpy as np
import pytest
import torch
from transformers.models.pegasus.modeling_pegasus import PegasusSinusoidalPositionalEmbedding
from transformers.models.whisper.modeling_whisper import sinusoids

import fanin
from fanin import Bilinear, Constant, ConvolutionOrthogonal, Dirac, Eye, FaninError, Registry, Sinusoidal


@pytest.mark.parametrize(("shape", "groups"), [
    ((4, 4, 3), 1), ((6, 2, 4, 3), 3), ((2, 5, 3, 3), 1), ((5, 2, 3, 3, 3), 1), ((4, 6, 2, 3, 4), 2),
    ((6, 1, 3, 3), 6)])
def test_dirac_is_torchs(shape, groups):
    """The same ones as torch.nn.init.dirac_ puts, in 3, 4 and 5 dimensions, in groups, for even kernels too."""
    expected = torch.nn.init.dirac_(torch.empty(shape), groups)

    np.testing.assert_array_equal(Dirac(groups)(shape), expected.numpy())


@pytest.mark.parametrize("shape", [(3, 3), (2, 5), (5, 2)])
def test_eye_is_torchs(shape):
    """The same rectangular identity as torch.nn.init.eye_."""
    np.testing.assert_array_equal(Eye()(shape), torch.nn.init.eye_(torch.empty(shape)).numpy())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.complex64,
                                   torch.int64, torch.bool])
def test_a_constant_takes_a_tensor(dtype):
    """Any tensor's values, in any layout of its memory, are a constant's; they are copied."""
    tensor = torch.arange(6).reshape(2, 3).to(dtype).T
    expected = tensor.clone()

    scheme = Constant(tensor)
    tensor.zero_()

    assert scheme.value.dtype.name == str(dtype).removeprefix("torch.") and scheme.value.shape == (3, 2)
    assert torch.equal(torch.from_numpy(scheme((3, 2), "complex64").real.copy()), expected.to(torch.complex64).real)


def test_a_constant_takes_a_parameter():
    """A layer's weight, which requires a gradient, in bfloat16 too, conjugated, or of one element."""
    layer = torch.nn.Linear(3, 2)

    assert (Constant(layer.weight)((2, 3)) == layer.weight.detach().numpy()).all()
    assert Constant(layer.to(torch.bfloat16).weight).value.dtype.name == "bfloat16"
    assert Constant(torch.tensor([1 + 2j]).conj()) == Constant(np.array([1 - 2j], np.complex64))
    assert Constant(torch.tensor(3)) == Constant(3)


@pytest.mark.parametrize("tensor", [
    torch.empty(2, device="meta"), torch.eye(2).to_sparse(),
    torch.nested.nested_tensor([torch.ones(1), torch.ones(2)], layout=torch.jagged),
], ids=["meta", "sparse", "nested"])
def test_a_constant_refuses_tensors_without_plain_values(tensor):
    """A tensor that numpy can't hold is a one-line TypeError that names the argument."""
    with pytest.raises(TypeError, match="`value`") as error:
        Constant(tensor)
    assert isinstance(error.value, FaninError) and "\n" not in str(error.value)


@pytest.mark.parametrize(("groups", "factor", "mode", "size"), [
    (1, 2, "bilinear", (7, 9)), (5, 3, "bilinear", (7, 8)), (1, 4, "linear", (9,)), (5, 2, "trilinear", (4, 5, 6))])
def test_bilinear_enlarges_as_interpolate_does(groups, factor, mode, size):
    """Away from the edges, a transposed convolution of its weights is torch's resize; a longer kernel's is not."""
    x = torch.randn(2, 5, *size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    resized = torch.nn.functional.interpolate(x, scale_factor=factor, mode=mode, align_corners=False)
    inner = (..., *[slice(factor, -factor)] * len(size))

    def enlarged(kernel):
        weight = torch.from_numpy(Bilinear()((5, 5 // groups, *[kernel] * len(size)), "float64"))
        convolve = getattr(torch.nn.functional, f"conv_transpose{len(size)}d")
        return convolve(x, weight, stride=factor, padding=(kernel - factor) // 2, groups=groups)

    kernel = 2 * factor - factor % 2
    assert (enlarged(kernel) - resized)[inner].abs().max() < 1e-14
    assert (enlarged(kernel + 2) - resized)[inner].abs().max() > 0.01


def test_sinusoids_are_transformers():
    """Whisper's table within what float32 loses at that position (an angle of p·2^-22, and 2^-23), Pegasus' within an
    ulp: it is made in float64."""
    mine = Registry.get("whisper_sinusoids")((1500, 384))
    lost = torch.arange(1500)[:, None] * 2.0**-22 + 2.0**-23
    assert (abs(sinusoids(1500, 384) - torch.from_numpy(mine)) <= lost).all()

    pegasus = PegasusSinusoidalPositionalEmbedding(512, 64)
    pegasus.weight = torch.nn.Parameter(pegasus.create_weight())
    assert abs(pegasus.weight.numpy(force=True) - Sinusoidal(halves=True)((512, 64))).max() <= 2.0**-23


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("layer", "dims"), [(torch.nn.Conv1d, (16,)), (torch.nn.Conv2d, (9, 12)),
                                             (torch.nn.Conv3d, (5, 6, 7))])
@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
def test_torchs_convolutions_keep_the_norm(layer, dims, kernel, dtype):
    """With circular padding; a transposed one that has no padding keeps it whatever the borders are."""
    conv = layer(4, 6, kernel, padding="same", padding_mode="circular", bias=False, dtype=dtype)
    ConvolutionOrthogonal()(conv.weight.shape, out=conv.weight, seed=1, name="w")
    transposed = getattr(torch.nn, layer.__name__.replace("Conv", "ConvTranspose"))(4, 6, kernel, bias=False,
                                                                                     dtype=dtype)
    ConvolutionOrthogonal(layout="io*")(transposed.weight.shape, out=transposed.weight, seed=1, name="w")
    x = torch.randn(2, 4, *dims, dtype=dtype, generator=torch.Generator().manual_seed(0))

    for module in (conv, transposed):
        assert torch.allclose(module(x).flatten(1).norm(dim=1), x.flatten(1).norm(dim=1),
                              rtol=1e-5 if dtype is torch.float32 else 1e-13)


@pytest.mark.parametrize("name", ["elu", "gelu", "hardsigmoid", "hardswish", "hardtanh", "logsigmoid", "mish", "relu",
                                  "relu6", "selu", "sigmoid", "silu", "softplus", "softsign", "tanh", "tanhshrink"])
def test_gains_are_those_of_torchs_functions(name):
    """torch's function of the same name, and a module that is one, have the gain that the name has."""
    function = getattr(torch.nn.functional, name)

    assert fanin.math.gain(function) == pytest.approx(fanin.math.gain(name), rel=5e-9)
    assert fanin.math.gain(torch.nn.Sequential(torch.nn.Identity(), torch.nn.SiLU())) == \
        pytest.approx(fanin.math.gain("silu"), rel=5e-9)
    if name in ("tanh", "relu", "selu", "sigmoid"):
        assert fanin.math.gain(name, profile="torch") == torch.nn.init.calculate_gain(name)
    with pytest.raises(fanin.FaninValueError, match="without randomness"):
        fanin.math.gain(torch.nn.Dropout())
