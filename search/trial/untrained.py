"""What has no epochs, JPEG as it is and the closed-form filter: prepared in one step, scored in parts."""

import keras

from datasets.packed import PackedDataset
from search.records import TrialRecord
from search.scoring.scores import sample_pictures
from search.space.scale import TrialSetup
from search.space.spec import TrialSpec, TrialStatus
from search.trial.monitor import read_monitor
from search.trial.record import record_of, timed
from search.trial.restorers import closed_form_state, fitted_state, scored_model
from search.trial.store import Store


def prepare_untrained(
    spec: TrialSpec, pack: PackedDataset, store: Store, setup: TrialSetup
) -> tuple[TrialRecord, bytes]:
    """Fit the filter where the store has none; return the record and the pictures that its scores belong to."""
    keras.utils.clear_session()
    pack = pack.written_by(spec.family)
    monitor = read_monitor(pack, spec.split, setup.protocol)
    state = closed_form_state(spec, pack, store)
    model = scored_model(spec, state)
    record = record_of(spec, pack, monitor, model, state, TrialStatus.COMPLETED)
    images = setup.protocol.images_to_score(pack, spec.split, "validation")
    samples = sample_pictures(model, pack, images, setup.protocol.scored_qualities)
    return timed(record, pack, model, setup.protocol), samples


def screening_record(spec: TrialSpec, pack: PackedDataset, setup: TrialSetup) -> TrialRecord:
    """Return the record of a filter by the monitored images alone; nothing is kept or scored."""
    keras.utils.clear_session()
    pack = pack.written_by(spec.family)
    state = fitted_state(spec, pack)
    monitor = read_monitor(pack, spec.split, setup.protocol)
    return record_of(spec, pack, monitor, scored_model(spec, state), state, TrialStatus.COMPLETED)
