"""The choices of the default model, frozen, each with the measurement behind it."""

from dataclasses import dataclass

from ml.boosting.fitting import BoostingChoices


@dataclass(frozen=True)
class TrainingChoices:
    """How a default model is trained: its trees, and the folds its calibration is fitted on."""

    boosting: BoostingChoices
    calibration_folds: int
    calibration_seed: int
    is_monotone: bool


# Measured on the 123 Chinese small firms of CUMCM 2020 C (27 defaults, 45 invoice indicators as of 2020-02-22, the
# bank's rating left out): five stratified folds, calibration inside the other folds, the same ten seeds for each line.
# Medians of AUC / Brier / log loss, then the least AUC:
#
#   these choices            .902  .086  .301   .893      20 -> 10 rows a leaf    .895  .093  .313   .887
#   no monotone constraints  .886  .092  .313   .874      lambda_l2 1 -> 10       .894  .091  .312   .887
#   3 leaves                 .892  .092  .314   .876      400 rounds              .896  .090  .306   .894
#   4 leaves                 .888  .093  .317   .879      1,600 rounds            .905  .084  .295   .900
#   all columns a tree       .912  .083  .289   .900      200 rounds              .885  .093  .319   .874
#
# Shuffled outcomes give .39 to .57 (six draws), so the figure is not a leak. Twenty seeds of these choices: median
# .911, least .893, most .934. With 27 defaults the 95 % interval of any one AUC is about .83 to .97: the lines above
# differ by less than that, and having chosen among them makes the winner look a little better than it is.
#
# One split a tree, because depth bought nothing here and a sum over features is read, explained and served exactly.
# Bagging inside the one run (fresh rows and columns each round) did as well as averaging boosters of several seeds:
# tried with 3 leaves, 1,500 rounds in one booster gave .895 and five boosters of 400 rounds .891. So one text is the
# model. 1,600 rounds and all columns were not taken: the gain is inside the noise, and drawing columns spreads a score
# over several indicators that say the same thing.
CHOICES = TrainingChoices(
    boosting=BoostingChoices(
        rounds=800,
        learning_rate=0.1,
        leaves=2,
        least_rows_in_leaf=20,
        feature_fraction=0.15,
        bagging_fraction=0.8,
        lambda_l2=1.0,
        seed=20211231,
    ),
    calibration_folds=5,
    calibration_seed=20211231,
    is_monotone=True,
)
