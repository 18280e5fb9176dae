"""What is the backend's own: threads, memory and repeatability. Imports TensorFlow only where it is the backend."""

import os
from collections.abc import Callable, Generator, Iterator
from typing import Any

import keras


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of tensors compiled for each shape that it is called with."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)  # type: ignore[no-any-return]
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")  # it warns of functions that are compiled for many shapes
    return tf.function(function)  # type: ignore[no-any-return]


def value_and_gradient(function: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, Any]]:
    """Return a function of a tensor that gives the value, a number, and the gradient of a function; compiled."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(jax.value_and_grad(function))  # type: ignore[no-any-return]
    import tensorflow as tf

    def both(at: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            tape.watch(at)
            value = function(at)
        return value, tape.gradient(value, at)

    return compiled(both)


def fittable(batches: Generator[Any]) -> Any:
    """Return batches in the form that `fit` is to have: tuples of arrays that differ in their first axis alone.

    Of a generator Keras makes a dataset which TensorFlow tunes while it is read. When it ends the tuner is waited for,
    which sleeps 10 ms, then twice as long each time: an epoch of 3.4 s often took 5.1 s. Ours is not tuned.
    """
    if keras.backend.backend() == "jax":
        return batches
    import tensorflow as tf

    looked_at = [next(batches)]

    def spec(array: Any) -> tf.TensorSpec:
        return tf.TensorSpec((None, *array.shape[1:]), array.dtype)

    def read() -> Iterator[Any]:
        yield looked_at.pop()  # TensorFlow keeps this function
        yield from batches

    dataset = tf.data.Dataset.from_generator(read, output_signature=keras.tree.map_structure(spec, looked_at[0]))
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def prepare_backend(n_threads: int, gpu_limit_mb: float | None = None) -> None:
    """Set the process up for a trial, before its first operation: threads on the CPU, GPU memory taken as needed.

    On a CPU TensorFlow keeps the memory that it has had. By default each operation gets its own from the C library,
    which gives large pieces back to the system at once: a third to a half of a step went into having them anew.
    gpu_limit_mb: the most it may take of a GPU, in MB of 10^6 bytes, where others share it; it is then taken at once. A
    process that has already computed keeps what it has.
    """
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")  # read before the first operation
    tf.config.experimental.enable_op_determinism()
    # SSIM takes small differences of large means: with convolutions of 10 bits it is off by some hundredths.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        for gpu in tf.config.list_physical_devices("GPU"):
            if gpu_limit_mb is None:
                tf.config.experimental.set_memory_growth(gpu, True)
            else:
                limit = tf.config.LogicalDeviceConfiguration(memory_limit=gpu_limit_mb * 1e6 / 2**20)
                tf.config.set_logical_device_configuration(gpu, [limit])
        tf.config.threading.set_intra_op_parallelism_threads(n_threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:  # TensorFlow: "cannot be modified after initialization"
        return


def is_out_of_memory(error: Exception) -> bool:
    """Say whether an error is TensorFlow's or XLA's RESOURCE_EXHAUSTED: not enough memory."""
    return type(error).__name__ == "ResourceExhaustedError" or "RESOURCE_EXHAUSTED" in str(error)


def device_name() -> str:
    """Return the name of the device that computes: the first GPU's, or "CPU"."""
    if keras.backend.backend() != "tensorflow":
        return str(keras.distribution.list_devices()[0])
    import tensorflow as tf

    for gpu in tf.config.list_physical_devices("GPU"):
        return str(tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name))
    return "CPU"
