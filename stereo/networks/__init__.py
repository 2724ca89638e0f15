"""Somebody else's stereo network, an ONNX file, as a matcher of ours: ``onnx:MODEL.onnx``."""
