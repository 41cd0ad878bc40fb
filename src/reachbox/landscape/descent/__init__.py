"""Downhill: L-BFGS, Newton's method, and walks from minimum to minimum."""
