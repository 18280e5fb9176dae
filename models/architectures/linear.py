"""Linear: one 5 x 5 filter at half resolution, fitted in closed form (`models.ridge`): what networks have to beat."""

import keras

from models.architectures.last import LastConvolution
from models.architectures.padding import CutTo, PadToMultiple
from models.architectures.planes import PlaneFilter, ToPixels, ToPlanes


def linear(degraded: keras.KerasTensor, last_convolution: LastConvolution) -> keras.KerasTensor:
    """Predict the residual of degraded [B, H, W, 3]; 3,600 parameters."""
    planes = ToPlanes()(PadToMultiple(2)(degraded))
    return CutTo()(ToPixels()(PlaneFilter(name="filter")(planes)), degraded)
