def test_x(small_run):
    for m in small_run.front.members: print(m.trial, m.precision, m.metrics["accuracy"], m.metrics["size_bytes"], m.latency)
    print(len(small_run.trials), small_run.finished, list(small_run.folder.iterdir()))
