"""Loss functions: losses and mining as pure functions of ``keras.ops``, and thin layers.

The functions take matrices and masks and know no labels; the layers of ``objective`` take
embeddings and labels.
"""
