"""The recipe of torchvision's ResNets against torchvision."""

import pytest
import torchvision

from originals import compare_with_original


@pytest.mark.parametrize("zero", [False, True])
@pytest.mark.parametrize("name", ["resnet18", "resnet50", "resnext50_32x4d", "wide_resnet50_2"])
def test_a_resnet_is_drawn_as_torchvision_draws_it(name, zero):
    """Convolutions, norms, the last norm of each block, the classifier and its bias have torchvision's laws."""
    from fanin import Rules

    table = compare_with_original(lambda: getattr(torchvision.models, name)(zero_init_residual=zero, num_classes=100),
                                  Rules.read("resnet", zero_init_residual=int(zero)), draws=2)
    last = [row for row in table.to_dicts() if row["role"] == "last_norm_of_block"]
    assert len(last) == sum({"resnet18": (2, 2, 2, 2)}.get(name, (3, 4, 6, 3)))
