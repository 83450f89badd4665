"""Optimizers, learning rate schedules, averaged models. Source: torch.optim."""

from . import lr_scheduler as lr_scheduler
from . import optimizer as optimizer
from . import swa_utils as swa_utils
from .adagrad import Adadelta as Adadelta
from .adagrad import Adagrad as Adagrad
from .adagrad import RMSprop as RMSprop
from .adam import Adam as Adam
from .adam import Adamax as Adamax
from .adam import AdamW as AdamW
from .adam import NAdam as NAdam
from .adam import RAdam as RAdam
from .lbfgs import LBFGS as LBFGS
from .matrix import Adafactor as Adafactor
from .matrix import Muon as Muon
from .optimizer import Optimizer as Optimizer
from .sgd import ASGD as ASGD
from .sgd import SGD as SGD
from .sgd import Rprop as Rprop
from .sparse_adam import SparseAdam as SparseAdam
