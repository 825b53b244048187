"""The composition root: the only place that constructs pools, servicers and servers."""
