"""Rally beside llama.cpp, onnxruntime and PyTorch, in turns, on this machine."""
