"""The worksheet's numbers, and that it is its key without answers."""

import re

import numpy as np
import torch
from bs4 import BeautifulSoup

from gsrgnn import CircuitGraph, aggregate, group_sparse
from gsrgnn.book.site import worksheet


def largest(x, k):
    """What GS keeps of each row, as a dense matrix; by sorting, without a kernel."""
    mask = np.argsort(np.argsort(-x, axis=1, kind="stable"), axis=1) < k
    return x * mask


def test_the_key_is_what_dense_numpy_computes():
    of = worksheet.numbers()
    X1, X2 = np.hsplit(of.X, 2)
    dense = np.zeros((4, 4))
    np.put_along_axis(dense, of.I.astype(int), of.V, axis=1)
    assert np.array_equal(dense, largest(of.X, worksheet.FIRST_K))
    assert np.allclose(of.out, of.A @ largest(of.X, worksheet.K))
    Y1 = X1 + of.A @ largest(X2, worksheet.K)
    Y2 = X2 + of.A @ largest(Y1, worksheet.K)
    assert np.allclose(of.layer["Y"], np.hstack([Y1, Y2]))
    assert np.array_equal(of.lost, largest(X2, worksheet.K) != X2)
    assert of.lost.sum() == 1  # "which entry", asks the sheet


def test_the_package_computes_the_same():
    of = worksheet.numbers()
    graph = CircuitGraph.from_edge_index(np.stack(np.nonzero(of.A.T)), num_nodes=4, norm="sum")
    assert np.allclose(aggregate(graph, group_sparse(torch.tensor(of.X), worksheet.K)), of.out)


def test_the_sheet_is_its_key_without_answers():
    sheet, key = (BeautifulSoup(worksheet.page(is_key), "html.parser") for is_key in (False, True))
    given, asked = (sheet.select(".given table"), sheet.select("main table:not(.given table)"))
    assert [table.get_text() for table in given] == [table.get_text() for table in key.select(".given table")]
    assert len(asked) == len(key.select("main table:not(.given table)")) == 11
    assert all(not cell.get_text() for table in asked for cell in table.select("tbody td"))
    assert all(cell.get_text() for cell in key.select("tbody td"))
    assert [p.get_text() for p in sheet.select(".answer")] == ["", "", ""]
    assert all(len(p.get_text()) > 20 for p in key.select(".answer"))
    assert [h.get_text() for h in sheet.select("h2")] == [h.get_text() for h in key.select("h2")]


def test_answers_name_what_the_numbers_say():
    answers = [p.get_text() for p in BeautifulSoup(worksheet.page(True), "html.parser").select(".answer")]
    of = worksheet.numbers()
    rows = [int(row) for row in re.findall(r"\d", answers[0])]
    assert rows == [row for row in range(4) if np.count_nonzero(of.out[row]) == 2]
    (row,), (column,) = np.nonzero(of.lost)
    assert answers[1].startswith(f"Row {row}, column {column + 2}: {of.X[row, column + 2]:.2f}.")
