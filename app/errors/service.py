"""What a caller asks for that cannot be, or cannot be now."""

from app.errors.base import GemelloError


class SettingsError(GemelloError):
    code = "settings_invalid"
    title = "Invalid setting"


class ParameterInvalid(GemelloError):
    code = "parameter_invalid"
    title = "Invalid parameter"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}.")
        self.name, self.reason = name, reason


class JobError(GemelloError):
    code = "job_error"
    title = "Job error"


class JobNotFound(JobError):
    code = "job_not_found"
    title = "No such job"

    def __init__(self, job_id: str) -> None:
        super().__init__(f"There is no job with the id {job_id!r}.")
        self.job_id = job_id


class JobConflict(JobError):
    code = "job_conflict"
    title = "Another job does the same"

    def __init__(self, job_id: str, reason: str) -> None:
        super().__init__(f"{reason}; see the job {job_id}.")
        self.job_id = job_id


class JobQueueFull(JobError):
    code = "job_queue_full"
    title = "Too many imports wait"

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}; wait until one has ended, or cancel one.")
        self.reason = reason


class Overloaded(GemelloError):
    code = "overloaded"
    title = "Too many requests"

    def __init__(self, retry_after_s: int = 1) -> None:
        super().__init__(f"The service is busy; try again in {retry_after_s} s.")
        self.retry_after_s = retry_after_s


class NotReady(GemelloError):
    code = "not_ready"
    title = "Not ready"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The service is not ready: {reason}.")
        self.reason = reason
