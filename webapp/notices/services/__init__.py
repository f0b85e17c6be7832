"""The notices app's writes: channels, notices written down, and their sending."""

from webapp.notices.services.channels import (
    ChannelRefused,
    channel_add,
    channel_enable,
    channel_remove,
    channel_test,
    delivery_retry,
)
from webapp.notices.services.sending import deliveries_send, delivery_claim, delivery_send
from webapp.notices.services.writing import notice_add

__all__ = [
    "ChannelRefused",
    "channel_add",
    "channel_enable",
    "channel_remove",
    "channel_test",
    "deliveries_send",
    "delivery_claim",
    "delivery_retry",
    "delivery_send",
    "notice_add",
]
