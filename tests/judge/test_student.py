"""Student's t against printed tables and SciPy 1.17.1."""

import pytest

from ohwx_compare.judge.student import quantile, tail, two_sided

# freedom, P(T > .3), P(T > 2.5), P(T > 12), quantiles of .8, .975 and 1 - .05/9: scipy.stats.t's sf and ppf
SCIPY = (
    (1, 0.407226420922, 0.121118941591, 0.0264646760596, 1.37638192047, 12.7062047362, 57.2899616308),
    (2, 0.39624283042, 0.0648058601108, 0.00343646683858, 1.06066017178, 4.30265272975, 9.40759232195),
    (3, 0.39188164602, 0.043853323504, 0.000622507900395, 0.978472312363, 3.18244630528, 5.62506709927),
    (5, 0.388124521132, 0.0272450496712, 3.54474625858e-05, 0.919543780241, 2.57058183564, 3.92633310792),
    (9, 0.385495351871, 0.0169309138415, 3.84994311149e-07, 0.883403859686, 2.2621571628, 3.18411372),
    (14, 0.384292691575, 0.012733332307, 4.67666536968e-09, 0.868054781557, 2.14478668792, 2.92361181005),
    (29, 0.383158546664, 0.00916267216921, 4.53035416657e-13, 0.854191985882, 2.04522964213, 2.71255531989),
    (100, 0.38239994015, 0.00702289456204, 2.1975438578e-21, 0.845230424491, 1.98397151852, 2.58730282421),
    (1000, 0.382119752084, 0.00628928390055, 2.16202869339e-31, 0.841980822162, 1.96233908083, 2.54392074932),
)  # fmt: skip


@pytest.mark.parametrize("row", SCIPY, ids=lambda row: f"{row[0]} degrees of freedom")
def test_tails_and_quantiles_are_scipys(row):
    freedom, *tails = row
    assert [tail(t, freedom) for t in (0.3, 2.5, 12.0)] == pytest.approx(tails[:3], rel=1e-9)
    assert [quantile(share, freedom) for share in (0.8, 0.975, 1 - 0.05 / 9)] == pytest.approx(tails[3:], rel=1e-9)


def test_the_printed_table():
    """Fisher & Yates, "Statistical tables", table III, P = .05: 1 to 5, 10, 20, 30, 60 and 120 degrees of freedom."""
    printed = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 10: 2.228, 20: 2.086, 30: 2.042, 60: 2.0, 120: 1.98}
    for freedom, t in printed.items():
        assert quantile(0.975, freedom) == pytest.approx(t, abs=5.1e-4)


@pytest.mark.parametrize("freedom", [1, 2, 7, 58.5, 10_000])
def test_each_undoes_the_other_and_both_are_symmetric(freedom):
    for share in (0.5, 0.6, 0.9, 0.99, 0.99999):
        t = quantile(share, freedom)
        assert tail(t, freedom) == pytest.approx(1 - share, rel=1e-9)
        assert quantile(1 - share, freedom) == pytest.approx(-t)
        assert tail(-t, freedom) == pytest.approx(share)
        assert two_sided(-t, freedom) == pytest.approx(2 * (1 - share))
    assert tail(float("inf"), freedom) == 0
