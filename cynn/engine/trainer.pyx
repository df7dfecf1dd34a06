"""Runs training steps one after another. The plan of a step is in step_plan.pyx, the step itself in step.pyx."""

import numpy as np

from cynn.engine.abi_checks import raise_plugin_error
from cynn.engine.loss_kernel import checked_loss, checked_product

from libc.math cimport hypot, isfinite
from libc.stdint cimport int64_t, uint32_t

from cynn.engine.dtypes cimport Dtype
from cynn.engine.flags cimport is_raised, lower_flag
from cynn.engine.step cimport (
    Block,
    Head,
    Parameter,
    Step,
    Updates,
    block_phase,
    constraint_phase,
    cynn_seconds,
    norms_phase,
    pieces_of,
    stage_phase,
    update_phase,
)
from cynn.engine.engine cimport Engine
from cynn.engine.optimizer_kernel cimport OptimizerKernel
from cynn.engine.rank_share cimport RankShare
from cynn.engine.step_plan cimport StepPlan
from cynn.engine.workspace cimport IS_DEBUG, address_of
from cynn.kernels.blas cimport faults, raise_faults_since

cdef int64_t MAX_STEPS = 1 << 62  # no limit


cdef int call_python_loss(void *trainer, int64_t head, int64_t rows, double *value) noexcept with gil:
    return (<Trainer>trainer).python_loss(head, rows, value)


cdef int call_python_product(void *trainer, int64_t head, int64_t rows) noexcept with gil:
    return (<Trainer>trainer).python_product(head, rows)


cdef inline void count_rows(Step *step) noexcept nogil:
    """Set the weights of the batch's rows in statistics over the batch, and their sum."""
    cdef int64_t i
    step.pass_.total_weight = step.pass_.rows
    if step.row_weight == NULL:
        return
    step.pass_.row_weight, step.pass_.total_weight = step.batch.row_weight, 0
    for i in range(step.pass_.rows):
        step.batch.row_weight[i] = step.row_weight[step.batch.order[i]]
        step.pass_.total_weight += step.batch.row_weight[i]


cdef inline void find_linear_steps(Step *step) noexcept nogil:
    """Compute the alpha and beta of every parameter."""
    cdef const Updates *updates = &step.updates
    cdef int64_t place
    cdef Parameter *parameter
    for place in range(step.n_parameters):
        parameter = &step.parameters[place]
        updates.optimizer.linear_step(
            parameter.h, parameter.learning_rate_factor * updates.learning_rate, updates.t, &parameter.alpha,
            &parameter.beta
        )


class Diverged(Exception):
    """A figure of a step is not finite. The weights are those before that step.

    Parameters
    ----------
    step : int
        The batch in its epoch, from 0.
    what : str
        The figure: the loss, or the norm of the gradient.
    figure : float
        NaN or infinity.
    """

    def __init__(self, step, what, figure):
        super().__init__(step, what, figure)
        self.step = step
        self.what = what
        self.figure = figure


class UnusableRow(Exception):
    """A row of x has a NaN, an infinity or an invalid category. The weights are those before its step."""


cdef class Trainer:
    """Runs training steps of one network on one set of data.

    Parameters
    ----------
    engine : Engine
        The engine of the network, whose parameters are updated.
    x : array of shape (n, inputs) of uint8, float32 or float64
        The inputs.
    targets : list of tuple (values, classes)
        For each output of the engine: an array of shape (n, units) of uint8, float32 or float64, and an int64
        array of shape (n,); one of them is None.
    sample_weights : list of float64 array of shape (n,), or None
        For each output, the weight of each row in its loss. The loss is not divided by their sum.
    row_weight : float64 array of shape (n,), or None
        The weight of each row in statistics over a batch.
    losses : list of LossKernel
        The loss of each output.
    loss_weights : list of float
        The weight of each loss in the sum.
    optimizer : OptimizerKernel or None
        None: steps only compute `gradients`.
    slots : list of lists of arrays
        The optimizer's memory for each entry of `Engine.trained_parameters`.
    settings : UpdateSettings
        Clipping, accumulation and averages.
    batch_size : int
        The number of rows per batch.
    n_threads : int
        The number of threads.
    communicator : object, optional
        As for `RankShare`, if several processes take each step together.
    training : bool
        Whether layers are in training mode. If not, the gradients are those of prediction mode.
    by_inputs : bool
        Whether to compute `input_gradient`. Must be true without `training`.
    derivatives : DerivativeTargets, optional
        Derivatives by the inputs that are trained, too. Not together with `communicator` or `by_inputs`.
    direction : list of (array or None), optional
        A vector v: one array for each of `Engine.trained_parameters`. Then `gradients` are the Hessian of the loss
        times v. Not together with an optimizer, `communicator` or `by_inputs`.

    Attributes
    ----------
    gradients : list of arrays
        The gradients, if the optimizer needs them whole or the caller wants them.
    slots : list of lists of arrays
        The slots that were given.
    steps : int
        The number of steps taken.
    batches : int
        The number of batches of this epoch so far.
    epochs_done : int
        The number of epochs in the last `run_epochs`.
    sums : float64 array
        Sums over the rows of this epoch: of 1, of the penalty, and for each output of weight * loss, without loss
        weights. With `derivatives`, then for each output of weight * loss of its derivatives.
    """

    def __cinit__(
        self, Engine engine, x, list targets, list sample_weights, row_weight, list losses, list loss_weights,
        OptimizerKernel optimizer, list slots, settings, int64_t batch_size, int n_threads, communicator=None,
        bint training=True, bint by_inputs=False, derivatives=None,
        list direction=None
    ):
        cdef int64_t i
        cdef Head *head
        cdef StepPlan plan = StepPlan(
            engine, x, targets, sample_weights, row_weight, losses, loss_weights, optimizer, slots, settings,
            batch_size, n_threads, training, by_inputs, derivatives, direction
        )
        self.plan = plan
        self.has_ranks = communicator is not None and communicator.size > 1
        if self.has_ranks:
            self.share = RankShare(plan, communicator)
        for i in range(plan.step.n_heads):
            if losses[i].is_python:
                head = &plan.step.heads[i]
                head.python_loss, head.number = <void *>self, i
                head.call_python_loss, head.call_python_product = call_python_loss, call_python_product
        arrays = [*plan.weights, *plan.averages]
        for each in [*plan.slots, *(operation.states for operation in engine.operations)]:
            arrays += each
        self.moved = np.array(
            [(<size_t>address_of(array), array.size) for array in arrays if array is not None], np.int64
        ).reshape(-1, 2)

    def begin_epoch(
        self, bint check_finite, int64_t epoch, int64_t batches=0, const double[::1] sums=None
    ):
        """Begin an epoch, or continue one.

        Parameters
        ----------
        check_finite : bool
            Whether to check every row of x, and raise UnusableRow for a NaN or an infinity.
        epoch, batches : int
            The number of the epoch, and how many of its batches are done. Random numbers depend on both.
        sums : float64 array, optional
            The `sums` over those batches.
        """
        self.start_epoch(check_finite, epoch)
        self.batches = batches
        if sums is not None:
            self.plan.sums[:] = sums

    cdef void start_epoch(self, bint check_finite, int64_t epoch) noexcept:
        self.plan.step.batch.check_finite = check_finite
        self.plan.step.pass_.epoch = <uint32_t>epoch
        self.batches = 0
        self.plan.sums[:] = 0

    def constrain(self):
        """Apply the constraints to the parameters, as after a step."""
        cdef Step *step = &self.plan.step
        self.plan.team.begin()
        with nogil:
            self.plan.team.run(constraint_phase, step, step.blocks.n_constrained)

    @property
    def calls_python(self):
        """Whether a step runs Python code of a plugin."""
        return (
            self.plan.engine.has_python or any(loss.is_python for loss in self.plan.losses)
            or (self.plan.optimizer is not None and self.plan.optimizer.is_python)
        )

    def is_finite(self):
        """Whether everything that steps change is finite: weights, averages, slots, and states of layers."""
        return self.has_finite_weights()

    cdef bint has_finite_weights(self) noexcept:
        """As `is_finite`."""
        cdef const Dtype *dtype = self.plan.step.dtype
        cdef int64_t i
        cdef bint finite = True
        with nogil:
            for i in range(self.moved.shape[0]):
                finite &= dtype.updates.are_finite(self.moved[i, 1], <const void *><size_t>self.moved[i, 0])
        return finite

    def gather_memory(self):
        """Get the optimizer's memory of the other ranks. All ranks must call this at the same time."""
        if self.has_ranks:
            self.share.gather_memory()

    @property
    def uses_threads(self):
        """Whether a step is large enough for the number of threads to matter."""
        return self.plan.is_worth_a_team

    @property
    def gradients(self):
        return self.plan.gradients

    @property
    def input_gradient(self):
        """The gradient by the converted rows of the last batch. The next batch overwrites this array."""
        return self.plan.workspace.deltas[0]

    @property
    def slots(self):
        return self.plan.slots

    @property
    def sums(self):
        return np.array(self.plan.sums)

    def run(
        self, const int64_t[::1] order, int64_t first_batch, int64_t t, const double[::1] learning_rates,
        predictions, double seconds, int64_t max_steps=MAX_STEPS, const double[:, ::1] scheduled=None
    ):
        """Train on batches of an epoch until it ends, or until a limit of time or steps is reached.

        Parameters
        ----------
        order : int64 array
            The rows of the epoch in order.
        first_batch : int
            The first batch to train on, counted from 0.
        t : int
            The number of its step in the whole training, counted from 1.
        learning_rates : float64 array
            The rate of every step of the epoch. The last batch always ends a step, also with accumulation.
        predictions : list of arrays of shape (n, units), or None
            For each output, filled with the predictions for the rows of `order`, each made in its own step.
        seconds : float
            No step begins after this time.
        max_steps : int
            The largest number of steps.
        scheduled : float64 array of shape (steps, n), optional
            For every step, the hyperparameters that change: weight decay if the settings have a schedule of it, then
            those of the operations with a schedule. By default they stay as they are.

        Returns
        -------
        int
            The number of batches trained on, at least those of one step.
        """
        return self.take_steps(order, first_batch, t, learning_rates, scheduled, predictions, seconds, max_steps)

    cdef int64_t take_steps(
        self, const int64_t[::1] order, int64_t first_batch, int64_t t, const double[::1] learning_rates,
        const double[:, ::1] scheduled, list predictions, double seconds, int64_t max_steps
    ) except -1:
        """As `run`."""
        cdef Step *step = &self.plan.step
        cdef int64_t n = order.shape[0]
        cdef int64_t batch_size = self.plan.batch_size, n_batches = (n + batch_size - 1) // batch_size
        cdef int64_t accumulation = self.plan.accumulation
        cdef int64_t n_steps = (n_batches + accumulation - 1) // accumulation, n_scheduled = 0
        cdef int64_t i, first_of_step, batch = first_batch, steps_before = self.steps, faults_before = faults()
        cdef Status status = STEPPED
        cdef bint ends_step
        cdef double until = cynn_seconds() + seconds
        cdef double loss = 0
        cdef bint python_optimizer = self.plan.optimizer is not None and self.plan.optimizer.is_python
        if learning_rates.shape[0] < n_steps:
            raise ValueError("there must be a learning rate for every step of the epoch")
        if scheduled is not None:
            n_scheduled = self.plan.n_scheduled
            if scheduled.shape[0] < n_steps or scheduled.shape[1] != n_scheduled:
                raise ValueError("there must be every scheduled number for every step of the epoch")
        step.batch.predicts = predictions is not None
        self.plan.predictions = predictions
        for i in range(step.n_heads):
            step.heads[i].predictions = address_of(predictions[i]) if step.batch.predicts else NULL
        step.prefetching.rows = 0
        step.updates.is_added = False
        self.plan.team.begin()
        with nogil:
            while True:
                step.batch.first_row = batch * batch_size
                step.pass_.rows = min(batch_size, n - step.batch.first_row)
                first_of_step = batch - batch % accumulation
                step.batch.rows_of_step = (
                    min((first_of_step + accumulation) * batch_size, n) - first_of_step * batch_size
                )
                step.pass_.step = <uint32_t>self.batches
                step.batch.order = &order[step.batch.first_row]
                step.batch.rows_left = n - step.batch.first_row - step.pass_.rows
                step.prefetching.has_first = step.prefetching.rows > 0
                step.prefetching.rows = min(step.batch.rows_left, step.prefetching.max_rows)
                step.updates.learning_rate = learning_rates[batch // accumulation]
                for i in range(n_scheduled):
                    self.plan.scheduled[i][0] = scheduled[batch // accumulation, i]
                step.updates.t = t + self.steps - steps_before
                ends_step = batch + 1 == n_batches or (batch + 1) % accumulation == 0
                if IS_DEBUG:
                    with gil:
                        self.plan.workspace.begin_pass()
                status = self.train_on_batch(ends_step, &loss)
                if status == STEPPED and python_optimizer and step.pass_.updates and ends_step:
                    with gil:
                        status = self.python_optimizer_step()
                if status == STEPPED and ends_step:
                    if step.pass_.updates:
                        self.plan.team.run(constraint_phase, step, step.blocks.n_constrained)
                    self.steps += 1
                if status != STEPPED or faults() != faults_before:
                    break
                batch += 1
                self.batches += 1
                if batch == n_batches:
                    break
                if ends_step and (self.steps - steps_before >= max_steps or cynn_seconds() >= until):
                    break
        raise_faults_since(faults_before)
        self.raise_unless_stepped(status, batch, loss)
        return batch - first_batch

    cdef int raise_unless_stepped(self, Status status, int64_t batch, double loss) except -1:
        if status == LOSS_IS_NOT_FINITE:
            raise Diverged(batch, "loss", loss)
        if status == NORM_IS_NOT_FINITE:
            raise Diverged(batch, "norm of the gradient", self.norm)
        if status == ROW_IS_UNUSABLE:
            raise UnusableRow
        if status == A_RANK_FAILED:
            self.share.raise_error()
        if status == PYTHON_RAISED:
            self.raise_python_error()
        return 0

    cdef int apply_gradients(self, double learning_rate, const double[:, ::1] scheduled, int64_t t) except -1:
        """Take a step with `gradients`. The settings must have `keeps_gradients`."""
        cdef Step *step = &self.plan.step
        cdef Status status = STEPPED
        cdef int64_t i, faults_before = faults()
        step.updates.learning_rate, step.updates.t = learning_rate, t
        for i in range(0 if scheduled is None else self.plan.n_scheduled):
            self.plan.scheduled[i][0] = scheduled[0, i]
        self.plan.team.begin()
        with nogil:
            if self.find_factors():
                self.plan.team.run(update_phase, step, step.blocks.n_updated)
            else:
                status = NORM_IS_NOT_FINITE
        if status == STEPPED and self.plan.optimizer.is_python:
            status = self.python_optimizer_step()
        if status == STEPPED:
            with nogil:
                self.plan.team.run(constraint_phase, step, step.blocks.n_constrained)
            self.steps += 1
        raise_faults_since(faults_before)
        return self.raise_unless_stepped(status, 0, 0)

    def run_epochs(
        self, order_of, int64_t first_epoch, int64_t t, const double[::1] learning_rates, double[:, ::1] figures,
        double seconds
    ):
        """Train for several short epochs without returning to Python code in between, until the time is up.

        Parameters
        ----------
        order_of : function
            Returns the rows of the epoch with that number in order, as an int64 array.
        first_epoch : int
            The number of the first epoch.
        t : int
            As for `run`.
        learning_rates : float64 array
            As for `run`, for all epochs.
        figures : float64 array of shape (epochs, len(sums) + 1)
            Filled with the sums and the seconds of the first `epochs_done` epochs.
        seconds : float
            No epoch begins after this time.
        """
        cdef double begin, now = cynn_seconds()
        cdef double until = now + seconds
        cdef int64_t steps_before = self.steps, n_sums = self.plan.sums.shape[0], i
        cdef const int64_t[::1] order
        cdef object last_order = None
        self.epochs_done = 0
        while self.epochs_done < figures.shape[0]:
            begin = now
            self.start_epoch(False, first_epoch + self.epochs_done)
            this_order = order_of(first_epoch + self.epochs_done)
            if this_order is not last_order:
                order = last_order = this_order
            self.take_steps(order, 0, t + self.steps - steps_before, learning_rates, None, None, 1e9, MAX_STEPS)
            now = cynn_seconds()
            for i in range(n_sums):
                figures[self.epochs_done, i] = self.plan.sums[i]
            figures[self.epochs_done, n_sums] = now - begin
            self.epochs_done += 1
            if now >= until:
                break

    cdef Status train_on_batch(self, bint ends_step, double *loss) noexcept nogil:
        cdef Step *step = &self.plan.step
        cdef Updates *updates = &step.updates
        cdef int64_t i, j
        cdef double of_output, penalty = 0
        cdef Head *head
        for j in range(step.n_heads):
            head = &step.heads[j]
            # the loss is a mean over the rows of all batches of the step
            step.dtype.rows.weigh(
                head.sample_weight, step.batch.order, step.pass_.rows,
                head.loss_weight / step.batch.rows_of_step, head.weight
            )
        if self.plan.tangents is not None:
            self.plan.tangents.weigh(step)
        count_rows(step)
        lower_flag(&step.failed)
        lower_flag(&step.unusable)
        for i in range(step.schedule.n_stages):
            step.schedule.stage = &step.schedule.stages[i]
            if step.schedule.stage.has_losses:
                step.schedule.n_losses = pieces_of(step, step.schedule.stage)
            if self.has_ranks:
                self.share.run_stage(i)
                continue
            self.plan.team.run(stage_phase, step, pieces_of(step, step.schedule.stage))
            if is_raised(&step.failed):
                return PYTHON_RAISED
            if is_raised(&step.unusable):
                return ROW_IS_UNUSABLE
        if self.has_ranks:
            if not self.share.agree():
                return A_RANK_FAILED
            if is_raised(&step.failed):
                return PYTHON_RAISED
            if is_raised(&step.unusable):
                return ROW_IS_UNUSABLE
        loss[0] = 0
        for j in range(step.n_heads):
            head = &step.heads[j]
            of_output = 0
            for i in range(step.schedule.n_losses):
                of_output += head.tile_loss[i]
            loss[0] += of_output
            self.plan.sums[2 + j] += of_output / head.loss_weight * step.batch.rows_of_step
        if self.plan.tangents is not None:
            loss[0] += self.plan.tangents.total(step, &self.plan.sums[0] + 2 + step.n_heads)
        if not isfinite(loss[0]):
            return LOSS_IS_NOT_FINITE
        if updates.is_linear:
            find_linear_steps(step)
        if self.has_ranks:
            self.share.run_blocks(ends_step)
        else:
            self.plan.team.run(block_phase, step, step.blocks.n_blocks)
        for i in range(step.blocks.n_blocks):
            penalty += step.blocks.blocks[i].penalty
        if not updates.is_direct and step.pass_.updates:
            updates.is_added = not ends_step
            if ends_step:
                if not self.find_factors():
                    return NORM_IS_NOT_FINITE
                if self.has_ranks:
                    self.share.run_updates()
                else:
                    self.plan.team.run(update_phase, step, step.blocks.n_updated)
        for i in range(step.n_nodes if step.pass_.updates else 0):
            step.dtype.update_states(step.nodes[i].operation, &step.nodes[i].op, &step.pass_)
        if self.has_ranks and self.share.has_failed:
            return A_RANK_FAILED
        self.plan.sums[0] += step.pass_.rows
        self.plan.sums[1] += step.batch.rows_of_step * penalty
        return STEPPED

    cdef bint find_factors(self) noexcept nogil:
        """Compute the factor of each gradient before the step. False if a norm that must be clipped is not finite."""
        cdef Step *step = &self.plan.step
        cdef const Updates *updates = &step.updates
        cdef double total = 0, norm
        cdef int64_t i, place
        cdef Block *block
        for place in range(step.n_parameters):
            step.parameters[place].factor = 1
        if updates.clip_norm == 0 and updates.global_clip_norm == 0:
            return True
        if self.has_ranks:
            self.share.run_norms()
        else:
            self.plan.team.run(norms_phase, step, step.blocks.n_blocks)
        for place in range(step.n_parameters):
            step.parameters[place].norm = 0
        for i in range(step.blocks.n_blocks):
            block = &step.blocks.blocks[i]
            block.parameter.norm = hypot(block.parameter.norm, block.norm)
        for place in range(step.n_parameters):
            norm = step.parameters[place].norm
            if not isfinite(norm):
                self.norm = norm
                return False
            if updates.clip_norm > 0 and norm > updates.clip_norm:
                step.parameters[place].factor *= updates.clip_norm / norm
                norm = updates.clip_norm
            total = hypot(total, norm)
        if not isfinite(total):
            self.norm = total
            return False
        if updates.global_clip_norm > 0 and total > updates.global_clip_norm:
            for place in range(step.n_parameters):
                step.parameters[place].factor *= updates.global_clip_norm / total
        return True

    cdef int python_loss(self, int64_t head, int64_t rows, double *value) noexcept:
        component = self.plan.losses[head].component
        try:
            prediction = self.plan.workspace.values[<int64_t>self.plan.engine.outputs[head]][:rows]
            values, gradient = checked_loss(component, prediction.copy(), self.plan.batch_targets[head][:rows].copy())
            weight = self.plan.batch_weights[head][:rows]
            value[0] = float(np.dot(np.asarray(values, np.float64), weight))
            self.plan.workspace.loss_gradients[head][:rows] = gradient * weight[:, None]
            return 0
        except BaseException as error:
            self.python_error = (component, error)
            return -1

    cdef int python_product(self, int64_t head, int64_t rows) noexcept:
        """Compute the Hessian of a loss times the tangents of its prediction."""
        component, value = self.plan.losses[head].component, self.plan.engine.outputs[head]
        try:
            product = checked_product(
                component, self.plan.workspace.values[<int64_t>value][:rows].copy(),
                self.plan.batch_targets[head][:rows].copy(),
                self.plan.tangents.wide.values[<int64_t>value][:rows].copy()
            )
            weight = self.plan.batch_weights[head][:rows]
            self.plan.tangents.wide.loss_gradients[head][:rows] = product * weight[:, None]
            return 0
        except BaseException as error:
            self.python_error = (component, error)
            return -1

    cdef Status python_optimizer_step(self) noexcept:
        """Take the steps on copies first: if one raises, no parameter changes."""
        cdef Updates *updates = &self.plan.step.updates
        cdef Parameter *parameter
        cdef int64_t place
        try:
            moved = []
            decayed, undecayed = self.plan.python_optimizers()
            for place, w in enumerate(self.plan.weights):
                if w is None:
                    continue
                parameter = &self.plan.step.parameters[place]
                arrays = (w, *self.plan.slots[place])
                matrices = [array.reshape(-1, array.shape[-1]).copy() for array in arrays]
                optimizer = undecayed if parameter.h == self.plan.undecayed_h else decayed
                optimizer.step(
                    matrices[0], self.plan.gradients[place].reshape(matrices[0].shape), matrices[1:],
                    parameter.learning_rate_factor * updates.learning_rate, updates.t
                )
                moved += zip(arrays, matrices, strict=True)
            for array, matrix in moved:
                array[...] = matrix.reshape(array.shape)
            momentum = self.plan.step.updates.average_momentum
            for w, mean in zip(self.plan.weights, self.plan.averages, strict=False):
                if mean is not None:
                    mean[...] = momentum * mean + (1 - momentum) * w
            return STEPPED
        except BaseException as error:
            self.python_error = (self.plan.optimizer.component, error)
            return PYTHON_RAISED

    cdef raise_python_error(self):
        if self.python_error is not None:
            (component, error), self.python_error = self.python_error, None
            raise_plugin_error(component, error)
        self.plan.workspace.raise_error()
        if self.plan.tangents is not None:
            self.plan.tangents.wide.workspace.raise_error()
