"""Several jobs in one transaction, so that they share the one wait for the disk."""

import sqlite3
from collections.abc import Sequence

from cortexd.domain.errors import CortexError, StorageFailed
from cortexd.storage.damage import remedy_for
from cortexd.storage.job import Job

JOB_ERRORS = (CortexError, ArithmeticError, LookupError, TypeError, ValueError)
"""What a job may raise of its own: values that SQLite does not take, rows that are not there."""


def commit_all(connection: sqlite3.Connection, jobs: Sequence[Job]) -> None:
    """Do the jobs, each whole or not at all; when this returns, all that went well is on disk.

    Errors: `sqlite3.Error` that concerns the file; nothing of any job has been done then.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        for job in jobs:
            connection.execute("SAVEPOINT job")
            _do(connection, job)
            if job.error is not None:
                connection.execute("ROLLBACK TO job")
            connection.execute("RELEASE job")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.rollback()


def read_all(connection: sqlite3.Connection, jobs: Sequence[Job]) -> None:
    """Do jobs that only read. Errors: as `commit_all`."""
    for job in jobs:
        connection.execute("BEGIN")
        try:
            _do(connection, job)
        finally:
            # Some errors of SQLite end the transaction by themselves.
            if connection.in_transaction:
                connection.rollback()


def _do(connection: sqlite3.Connection, job: Job) -> None:
    job.result = job.error = None
    try:
        job.result = job.work(connection)
    except sqlite3.Error as error:
        if remedy_for(error) is not None:
            raise
        job.error = StorageFailed(f"the database does not take this: {error}")
        job.error.__cause__ = error
    except JOB_ERRORS as error:
        job.error = error
