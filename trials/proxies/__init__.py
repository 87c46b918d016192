"""Scores of untrained students: they order what is to be trained, and replace nothing."""

from trials.proxies.proxy import Answers, Proxy, ProxyBatch
from trials.proxies.scoring import OF_TEACHERS, PROXIES, Scorer, find_proxy

__all__ = ["OF_TEACHERS", "PROXIES", "Answers", "Proxy", "ProxyBatch", "Scorer", "find_proxy"]
