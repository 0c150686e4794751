import pandas as pd

from gsrgnn.book.wrapped import markdown


def test_numbers_stand_to_the_right_and_a_bar_ends_no_cell():
    frame = pd.DataFrame({"made": ["a|b", "c"], "records": [1, 20]})
    assert markdown(frame).splitlines() == ["| made | records |", "| :-- | --: |", "| a&#124;b | 1 |", "| c | 20 |"]
