"""Checks: one question each, answered from one look at a cluster.

How to add one
--------------
1. Write ``checks/<family>/<what_is_true_of_a_healthy_cluster>.py``: one function of that name under `@check`. Its parameters are
   the sections of the snapshot (`model/snapshot.py`) or facts (`eksnetpol/facts/`) it reads; its docstring is what
   ``eksnetpol checks explain`` prints. Import `eksnetpol.checks.declare`, never this package.
2. Yield a `Finding` for each thing wrong, an `Unknown` for each thing that cannot be told, an `Evidence` for what was seen. Raise
   `NotApplicable` when the question does not arise. Yielding no finding and no unknown is passing.
3. Write ``tests/checks/<family>/<same_name>.yaml`` with one case that passes, one that fails, and one for each way it cannot
   tell, and ``test_<same_name>.py`` beside it (two lines).

A parameter that may be unread although the check can still say something is annotated ``T | Unread``. Everything else follows:
a check whose section is unread is *unknown* with the section's reason; one that raises is *errored*; one that found nothing in
files that cannot hold the whole cluster is *unknown*, unless it is declared ``about="objects"``: then it speaks of the objects
that it was given.
"""
