"""The CUDA kernels, in rooms one above the other; only `abilities` can be entered without numba-cuda.

`operators` runs them on torch tensors, `report` compiles them where no GPU is, and `abilities` says what a machine can
do with them. Below lie the kernels, a file each, and under these `warp` and `compiler`, what kernels are written in.
"""
