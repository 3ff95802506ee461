"""Writes the card of a model from its bundle: only what the bundle knows, so the card cannot drift from the model."""

from ml.registry import Bundle, Origin

_FEW_DEFAULTS = 100


def model_card(bundle: Bundle) -> str:
    """Give the card as Markdown text.

    Headings follow Mitchell et al. 2019, "Model cards for model reporting". Without metrics the card says so.
    """
    origin = bundle.origin
    rate = origin.defaults / origin.firms
    lines = [
        f"# Default model {bundle.digest[:12]}",
        "",
        f"- Digest: `{bundle.digest}`",
        f"- Kind: gradient boosted trees (LightGBM {origin.lightgbm_version}), logistic calibration",
        f"- Calibration: log-odds = {bundle.calibration.slope:.6g} x margin + {bundle.calibration.intercept:.6g}",
        "",
        "## Intended use",
        "",
        "Probability that a small firm defaults, with reasons, for a lender's decision. It decides nothing by itself.",
        "",
        "## Training population",
        "",
        f"{origin.population}: {origin.firms:,} firms, {origin.defaults:,} defaults ({rate:.1%}).",
        "",
        "## Measures on firms held out",
        "",
        *_measures(origin),
        "",
        "## Limits",
        "",
        *_limits(origin),
        "",
        f"## Indicators ({len(bundle.feature_names)})",
        "",
        ", ".join(f"`{name}`" for name in bundle.feature_names),
    ]
    return "\n".join(lines) + "\n"


def _measures(origin: Origin) -> list[str]:
    metrics = origin.metrics
    if metrics is None:
        return ["Not measured: the bundle carries no cross-validation."]
    return [
        "| measure | value |",
        "|---|---|",
        f"| AUC | {metrics.auc:.3f} (95 % bootstrap interval {metrics.auc_low:.3f} to {metrics.auc_high:.3f}) |",
        f"| KS | {metrics.ks:.3f} |",
        f"| Brier | {metrics.brier:.4f} |",
        f"| Log loss | {metrics.log_loss:.4f} |",
    ]


def _limits(origin: Origin) -> list[str]:
    limits = [
        "- Measured on held-out firms of the same population and time; another place or year was not tried.",
        "- The probability is that of the training population: where defaults are rarer or more common, recalibrate.",
        "- A share in the score is the model's arithmetic, not a cause: moving an indicator need not move the risk.",
    ]
    if origin.defaults < _FEW_DEFAULTS:
        few = f"- Only {origin.defaults} defaults: a demonstration, not a proof."
        if origin.metrics is not None:
            half = (origin.metrics.auc_high - origin.metrics.auc_low) / 2
            few += f" The AUC is known to about +-{half:.2f}."
        limits.insert(0, few)
    return limits
