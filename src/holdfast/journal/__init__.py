"""The durable record of one run, and its accepted mark. See `docs/journal.md`."""

from holdfast.journal.blobs import BlobWriter, blob_path
from holdfast.journal.errors import JournalDamaged, JournalError, JournalFull, JournalLocked
from holdfast.journal.folder import RunFolder, RunLock, folder_name, is_locked
from holdfast.journal.mark import DeliveryState, Mark, Position
from holdfast.journal.reader import JournalReader
from holdfast.journal.record import Record
from holdfast.journal.writer import RESERVE, Journal

__all__ = [
    "RESERVE", "BlobWriter", "DeliveryState", "Journal", "JournalDamaged", "JournalError",
    "JournalFull", "JournalLocked", "JournalReader", "Mark", "Position", "Record", "RunFolder",
    "RunLock", "blob_path", "folder_name", "is_locked",
]  # fmt: skip
