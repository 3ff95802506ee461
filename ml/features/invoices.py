"""Invoice indicators of many firms at once as of a moment.

The 58 indicators of the plan are named nowhere in it; these are project-defined, not official (本项目自定，非官方).
"""

import numpy as np
import pandas as pd

from ml.features.conduct import conduct_indicators, void_rates
from ml.features.conduct_catalogue import CONDUCT
from ml.features.indicator import Indicator as Indicator
from ml.features.invoice_rows import HISTORY_MONTHS, read_invoices
from ml.features.invoice_rows import InvoiceColumns as InvoiceColumns
from ml.features.invoice_rows import InvoiceFrameInvalid as InvoiceFrameInvalid
from ml.features.partners import partner_indicators
from ml.features.turnover import monthly_turnover, turnover_indicators
from ml.features.turnover_catalogue import TURNOVER

INDICATORS: tuple[Indicator, ...] = TURNOVER + CONDUCT

_CODES = [indicator.code for indicator in INDICATORS]
# Made once: an index of 45 texts takes longer than most of what one firm's row is computed from.
_COLUMNS = pd.Index(_CODES)


def invoice_indicators(
    invoices: pd.DataFrame | InvoiceColumns, *, as_of: pd.Timestamp, history_months: int = HISTORY_MONTHS
) -> pd.DataFrame:
    """Compute every invoice indicator of every firm, from what was issued before the as-of moment.

    Months are rolling: they end at ``as_of`` and follow Shanghai's calendar, so the latest is always whole. Each firm's
    row depends on its own invoices alone, bit by bit, in any order: a firm scored on demand equals the same firm in
    the training crowd, and a crowd may be cut in parts (memory is about 6 kB a firm and 200 bytes an invoice).

    Parameters
    ----------
    invoices : DataFrame, shape (n_invoices, >= 7), or InvoiceColumns
        Columns ``enterprise_id`` and ``counterparty_id`` (str or category), ``issued_at`` (datetime64, UTC),
        ``direction`` ('in' 进项 purchases, 'out' 销项 sales), ``net_fen`` and ``tax_fen`` (int64; red-letter invoices
        are negative), ``is_void`` (bool). Other columns are left alone. As ``InvoiceColumns`` the same in numpy, which
        saves one firm of 150 invoices half of the time.
    as_of : Timestamp
        Rows issued at or after it do not count. Without a zone it is UTC.
    history_months : int
        Length of the window, at least 12; older invoices do not count. Loyalty and growth need 24.

    Returns
    -------
    DataFrame, shape (n_enterprises, n_indicators), float64
        Indexed by ``enterprise_id`` (str, sorted): the firms with an invoice in the window. Columns are the codes of
        ``INDICATORS`` in their order. NaN says that there is nothing to say it from; 0 is a measured nothing.

    Raises
    ------
    InvoiceFrameInvalid
        A column is missing, of another type, or misses a value; or the window is under 12 months.
    """
    rows = read_invoices(invoices, as_of=as_of, history_months=history_months)
    standing = rows.standing()
    columns = {
        **turnover_indicators(monthly_turnover(standing)),
        **void_rates(rows),
        **conduct_indicators(standing),
        **partner_indicators(standing),
    }
    return pd.DataFrame(np.column_stack([columns[code] for code in _CODES]), index=rows.firms, columns=_COLUMNS)
