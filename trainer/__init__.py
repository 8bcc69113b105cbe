"""The offline trainer: a folder of images in, a published model out. Knows TensorFlow."""

import os

# TensorFlow reports its build and its GPU search at import; only what is wrong should be seen.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
# oneDNN's kernels train about 1.5 times as fast on CPUs; TensorFlow takes them unasked on some only.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
