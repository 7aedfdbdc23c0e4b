"""Chainer programs under the compat layer, without a warning: each checks what it computes."""

import sys

import pytest
from chainer_suite import programs, run_program


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*programs()} - {"sweep"}))
def test_program(name, tmp_path):
    outcome = run_program([sys.executable], name, tmp_path)
    assert outcome.code == 0, outcome.said
    assert outcome.said or name == "trainer_of_2017"
