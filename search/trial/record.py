"""The record of a trial that ends: what its state, its model and the monitored images say of it."""

from dataclasses import replace

import keras

from datasets.packed import PackedDataset
from models.backend import device_name
from models.cost import weights_bytes
from models.footprint import footprint
from models.training import Row, TrainingState
from search.records import TrialRecord
from search.scoring.scores import restoring_ms
from search.space.scale import Protocol
from search.space.spec import TrialSpec, TrialStatus
from search.trial.channels import channel_shares, chroma_bytes
from search.trial.monitor import Monitor
from search.trial.provenance import node_name, versions


def record_of(
    spec: TrialSpec,
    pack: PackedDataset,
    monitor: Monitor,
    model: keras.Model,
    state: TrainingState | None,
    status: TrialStatus,
) -> TrialRecord:
    """Return the record of a trial that ends with this state; model: with the weights it is scored by."""
    as_input = monitor.compare(monitor.degraded)
    seen: Row = vars(as_input)
    if state is not None and not spec.is_trained:
        seen = vars(monitor.read(model))
    elif state is not None:
        scored = state.best_epoch if spec.restore_best else state.epoch
        seen = next((row for row in state.curve if row["epoch"] == scored), {})
    share = seen.get("bytes_at_parity")
    quality = None if share is None else monitor.quality_at(share)
    return TrialRecord(
        spec=spec,
        status=status,
        epochs_run=state.epoch if state else 0,
        bytes_at_parity=share,
        margin=seen.get("margin"),
        psnr_gain_db=seen.get("psnr_gain_db"),
        input_margin=as_input.margin,
        input_bytes_at_parity=as_input.bytes_at_parity,
        viewable_ssim=None if share is None else monitor.viewable_ssim(share),
        quality_at_parity=quality,
        channels=None if quality is None or spec.returns_input else _channels(pack, monitor, model, quality),
        seconds=sum(row["seconds"] or 0.0 for row in state.curve) if state else 0.0,
        curve=state.curve if state else (),
        parameters=model.count_params(),
        macs_per_pixel=0 if spec.returns_input else footprint(spec.architecture, spec.size).macs_per_pixel,
        weights_bytes=weights_bytes(model),
        node=node_name(),
        device=device_name(),
        dataset_fingerprint=pack.fingerprint,
        versions=versions(),
    )


def _channels(
    pack: PackedDataset, monitor: Monitor, model: keras.Model, quality_at_parity: float
) -> dict[str, float] | None:
    """Return what luma and chroma take and lose near parity, of a pack whose files an encoder of its own writes."""
    if pack.family is None:
        return None
    quality = min(monitor.degraded, key=lambda quality: abs(quality - quality_at_parity))
    shares = channel_shares(monitor.originals, monitor.degraded[quality], monitor.restore(model, quality))
    bytes_of_colour = chroma_bytes(pack.originals[monitor.images], pack.family.at(quality))
    return None if shares is None else {"chroma_bytes": bytes_of_colour, **shares}


def timed(record: TrialRecord, pack: PackedDataset, model: keras.Model, protocol: Protocol) -> TrialRecord:
    """Return a record with the time that restoring an image takes here; JPEG as it is takes none."""
    image = int(protocol.images_to_monitor(pack, record.spec.split)[0])
    return record if record.spec.returns_input else replace(record, restore_ms=restoring_ms(model, pack, image))
