"""Losses for classification: margin losses, focal losses and overlap.

Binary labels are -1 and 1, or 0 and 1.
"""

from cynn.hyperparameters import hyperparameter
from cynn.losses import Loss
from cynn_plugins.losses._classification import KERNELS
from cynn_plugins.losses.targets import Array, require, require_one_hot

__all__ = [
    "BinaryFocal",
    "CategoricalFocal",
    "CategoricalHinge",
    "Dice",
    "Hinge",
    "MultiMargin",
    "MultilabelMargin",
    "SoftMargin",
    "SquaredHinge",
]


class _TwoSides(Loss):
    decision_threshold = 0.0

    def check_target(self, target: Array) -> None:
        require((target == 0) | (abs(target) == 1), target, self.name, "be -1 and 1, or 0 and 1")


class Hinge(_TwoSides):
    """C = mean over the outputs of max(0, 1 - t p), with labels t of -1 and 1 (0 counts as -1).

    The slope at the margin is taken as 0.

    Source: Cortes and Vapnik, "Support-vector networks", 1995, section 3.

    Examples
    --------
    >>> import cynn, numpy as np
    >>> loss = cynn.registry.losses.get("hinge")
    >>> prediction, target = np.array([[0.5, 3.0]]), np.array([[-1.0, 1.0]])
    >>> loss.value_and_gradient(prediction, target)
    (array([0.75]), array([[0.5, 0. ]]))
    """

    name = "hinge"
    kernel = KERNELS["hinge"]


class SquaredHinge(_TwoSides):
    """C = mean over the outputs of max(0, 1 - t p)², with labels t of -1 and 1 (0 counts as -1).

    Source: Tang, "Deep learning using linear support vector machines", 2013, equation 6.

    Examples
    --------
    >>> import cynn, numpy as np
    >>> loss = cynn.registry.losses.get("squared_hinge")
    >>> prediction, target = np.array([[0.5, 3.0]]), np.array([[-1.0, 1.0]])
    >>> loss.value_and_gradient(prediction, target)
    (array([1.125]), array([[ 1.5, -0. ]]))
    """

    name = "squared_hinge"
    kernel = KERNELS["squared_hinge"]


class SoftMargin(_TwoSides):
    """C = mean over the outputs of log(1 + exp(-t p)), with labels t of -1 and 1 (0 counts as -1).

    Source: Friedman, Hastie and Tibshirani, "Additive logistic regression", 2000, equation 28; as
    `SoftMarginLoss` in PyTorch.

    Examples
    --------
    >>> import cynn, numpy as np
    >>> loss = cynn.registry.losses.get("soft_margin")
    >>> prediction, target = np.array([[0.0, 1e4]]), np.array([[-1.0, 1.0]])
    >>> value, gradient = loss.value_and_gradient(prediction, target)
    >>> value.round(4), gradient
    (array([0.3466]), array([[ 0.25, -0.  ]]))
    """

    name = "soft_margin"
    kernel = KERNELS["soft_margin"]


class CategoricalHinge(Loss):
    """C = max(0, 1 + the largest p of the other classes - the p of the true class).

    The slope at the margin is taken as 0.

    Source: Crammer and Singer, "On the algorithmic implementation of multiclass kernel-based vector
    machines", 2001, equation 4. (Keras counts a 0 among the others.)

    Examples
    --------
    >>> import cynn, numpy as np
    >>> loss = cynn.registry.losses.get("categorical_hinge")
    >>> prediction = np.array([[0.5, 2.0, 1.75]])
    >>> target = np.array([[0.0, 1.0, 0.0]])
    >>> loss.value_and_gradient(prediction, target)
    (array([0.75]), array([[ 0., -1.,  1.]]))
    """

    name = "categorical_hinge"
    kernel = KERNELS["categorical_hinge"]

    def check_target(self, target: Array) -> None:
        require_one_hot(target, self.name)


class MultiMargin(Loss):
    """C = Σ over the other classes j of max(0, margin - p_true + p_j), over the number of classes.

    With `squared`, each term is squared. The slope at the margin is taken as 0.

    Source: Weston and Watkins, "Support vector machines for multi-class pattern recognition", 1999;
    as `MultiMarginLoss` in PyTorch.

    Examples
    --------
    >>> import cynn, numpy as np
    >>> loss = cynn.registry.losses.get("multi_margin")
    >>> prediction = np.array([[0.5, 1.0, 0.75, -1.0]])
    >>> target = np.array([[0.0, 1.0, 0.0, 0.0]])
    >>> loss.value_and_gradient(prediction, target)
    (array([0.3125]), array([[ 0.25, -0.5 ,  0.25,  0.  ]]))
    """

    name = "multi_margin"
    kernel = KERNELS["multi_margin"]
    margin: float = hyperparameter(default=1.0, above=0, doc="The margin by which the true class should lead.")
    squared: bool = hyperparameter(default=False, doc="Whether to square each term.")

    def check_target(self, target: Array) -> None:
        require_one_hot(target, self.name)


class MultilabelMargin(Loss):
    """C = Σ over the classes i that are present and j that are not of max(0, 1 - (p_i - p_j)).

    Over the number of classes. Targets are rows of 1 for present and 0 for not. The slope at the
    margin is taken as 0.

    Source: Zhang and Zhou, "Multilabel neural networks", 2006 (who take exp in place of the margin);
    as `MultiLabelMarginLoss` in PyTorch, whose targets are lists of classes.

    Examples
    --------
    >>> import cynn, numpy as np
    >>> loss = cynn.registry.losses.get("multilabel_margin")
    >>> prediction = np.array([[0.5, 1.0, 0.25, -1.0]])
    >>> target = np.array([[1.0, 1.0, 0.0, 0.0]])
    >>> loss.value_and_gradient(prediction, target)
    (array([0.25]), array([[-0.25, -0.25,  0.5 ,  0.  ]]))
    """

    name = "multilabel_margin"
    decision_threshold = 0.0  # only differences matter; scores are assumed to lie around 0
    kernel = KERNELS["multilabel_margin"]

    def check_target(self, target: Array) -> None:
        require((target == 0) | (target == 1), target, self.name, "be rows of 0 and 1")


class BinaryFocal(Loss):
    """C = mean over the outputs of -alpha_t (1 - p_t)^gamma log p_t: cross-entropy that focuses on hard examples.

    p_t is the predicted probability of the true class: p for a target of 1, and 1 - p for a target of 0. In the same
    way, alpha_t is alpha or 1 - alpha (in Keras, only on request). A target between 0 and 1 is the weighted mean of
    both. After a sigmoid, the loss is computed from z. Otherwise p is limited to 1e-7 from 0 and 1, and beyond that
    the loss continues as its tangent.

    Source: Lin, Goyal, Girshick, He and Dollár, "Focal loss for dense object detection", 2017,
    equation 5.

    Examples
    --------
    >>> import cynn, numpy as np
    >>> loss = cynn.registry.losses.get("binary_focal")
    >>> prediction, target = np.array([[0.5]]), np.array([[1.0]])
    >>> value, gradient = loss.value_and_gradient(prediction, target)
    >>> value.round(4), gradient.round(4)
    (array([0.0433]), array([[-0.2983]]))
    """

    name = "binary_focal"
    aliases = ("focal",)
    prediction_range = (0.0, 1.0)
    kernel = KERNELS["binary_focal"]
    alpha: float = hyperparameter(
        default=0.25, minimum=0, maximum=1, doc="The weight of targets 1. Targets 0 have the weight 1 - alpha."
    )
    gamma: float = hyperparameter(
        default=2.0, minimum=0, doc="The focusing parameter: larger values reduce the weight of easy examples."
    )

    def check_target(self, target: Array) -> None:
        require((target >= 0) & (target <= 1), target, self.name, "lie between 0 and 1")


class CategoricalFocal(Loss):
    """C = -alpha Σ_j t_j (1 - p_j)^gamma log p_j, with a target that is a class or a row of probabilities.

    After a softmax, the loss is computed from z. Otherwise p is at least 1e-7, and below that the loss continues as
    its tangent.

    Source: Lin, Goyal, Girshick, He and Dollár, "Focal loss for dense object detection", 2017,
    equation 5, for several classes as in Keras.

    Examples
    --------
    >>> import cynn, numpy as np
    >>> loss = cynn.registry.losses.get("categorical_focal")
    >>> prediction, target = np.array([[0.5, 0.5]]), np.array([[0.0, 1.0]])
    >>> value, gradient = loss.value_and_gradient(prediction, target)
    >>> value.round(4), gradient.round(4)
    (array([0.0433]), array([[-0.    , -0.2983]]))
    """

    name = "categorical_focal"
    prediction_range = (0.0, 1.0)
    kernel = KERNELS["categorical_focal"]
    alpha: float = hyperparameter(default=0.25, above=0, doc="The weight of each class.")
    gamma: float = hyperparameter(
        default=2.0, minimum=0, doc="The focusing parameter: larger values reduce the weight of easy examples."
    )

    def check_target(self, target: Array) -> None:
        require(target >= 0, target, self.name, "be classes or rows of probabilities >= 0")


class Dice(Loss):
    """C = 1 - (2 Σ_j p_j t_j + smooth) / (Σ_j p_j + Σ_j t_j + smooth): overlap, for predictions in [0, 1].

    It is computed for each row, and the loss of a batch is the mean over its rows. Keras computes it once for the
    whole batch, with a smooth of 1e-7.

    Source: Sudre, Li, Vercauteren, Ourselin and Cardoso, "Generalised Dice overlap as a deep learning
    loss function", 2017, section 2.1, with its epsilon as `smooth`.

    Examples
    --------
    >>> import cynn, numpy as np
    >>> loss = cynn.registry.losses.get("dice")
    >>> prediction, target = np.array([[0.5, 0.5]]), np.array([[1.0, 0.0]])
    >>> loss.value_and_gradient(prediction, target)
    (array([0.33333333]), array([[-0.44444444,  0.22222222]]))
    """

    name = "dice"
    prediction_range = (0.0, 1.0)
    kernel = KERNELS["dice"]
    smooth: float = hyperparameter(
        default=1.0, above=0, doc="Added to numerator and denominator, for numerical stability."
    )

    def check_target(self, target: Array) -> None:
        require((target >= 0) & (target <= 1), target, self.name, "lie between 0 and 1")
