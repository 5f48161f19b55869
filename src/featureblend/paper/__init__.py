"""The paper's experiments, run again: every system trained, every figure drawn, every claim judged."""
