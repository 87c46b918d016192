"""Scores of untrained students: they order what is to be trained, and replace nothing."""

from trials.proxies.proxy import Proxy, ProxyBatch
from trials.proxies.scoring import BASELINE, PROXIES, Scorer

__all__ = ["BASELINE", "PROXIES", "Proxy", "ProxyBatch", "Scorer"]
