"""Every servicer of a server process, by its role."""

from __future__ import annotations

from functools import partial

from candela_server.billing.billing_run_servicer import BillingRunServicer
from candela_server.billing.count_ended_before import count_ended_before
from candela_server.billing.credit_note_servicer import CreditNoteServicer
from candela_server.billing.number_documents import next_numbers, start_numbering
from candela_server.billing.preview_servicer import PreviewServicer
from candela_server.billing.run_changes import settle
from candela_server.billing.servicer import InvoiceServicer
from candela_server.billing.settle_creation import settle_creation
from candela_server.billing.tax_servicer import TaxServicer
from candela_server.billing.top_up_servicer import TopUpServicer
from candela_server.catalog.check_downgrade_plan import downgrade_plan_problem
from candela_server.catalog.credit_definition_servicer import CreditDefinitionServicer
from candela_server.catalog.feature_servicer import FeatureServicer
from candela_server.catalog.metric_servicer import MetricServicer
from candela_server.catalog.plan_servicer import PlanServicer
from candela_server.catalog.price_servicer import PriceServicer
from candela_server.catalog.pricing_table_servicer import PricingTableServicer
from candela_server.config import Settings
from candela_server.customer.servicer import CustomerServicer, UserServicer
from candela_server.edge.services import Room
from candela_server.entitlement.quick_check import QuickChecks
from candela_server.entitlement.reservation_servicer import ReservationServicer
from candela_server.entitlement.servicer import EntitlementServicer
from candela_server.entitlement.settle_reservation import Settler
from candela_server.kernel.clock import Clock
from candela_server.merchant import servicer as merchant
from candela_server.merchant.test_clock_servicer import TestClockServicer
from candela_server.metering.admit_events import Admission
from candela_server.metering.correction_servicer import CorrectionDesk
from candela_server.metering.directory import Directory
from candela_server.metering.ingest_events import Ingestor
from candela_server.metering.prepare_events import Preparer
from candela_server.metering.record_backfill import BackfillRecorder
from candela_server.metering.servicer import IngestionServicer, UsageServicer
from candela_server.storage.events import EventStore
from candela_server.storage.mutation import Mutations
from candela_server.storage.postgres import Tx
from candela_server.storage.shared_mutation import SharedMutations
from candela_server.subscription.change import Changed
from candela_server.subscription.check_nothing_runs import check_nothing_runs
from candela_server.subscription.migration_servicer import MigrationServicer
from candela_server.subscription.model import Subscription
from candela_server.subscription.seat_servicer import SeatServicer
from candela_server.subscription.servicer import SubscriptionServicer

from .memory import Memory
from .storage import Storage


def rooms_of(
    settings: Settings,
    storage: Storage,
    ingestor: Ingestor,
    directory: Directory,
    settler: Settler,
    memory: Memory,
    clock: Clock,
) -> list[Room]:
    """Every servicer of this process, by its role."""
    db, events = storage.db, storage.events
    mutations = Mutations(db, clock, memory.changes)
    secret = settings.page_token_secret.get_secret_value().encode()
    ordinary = (db, mutations, clock, secret)
    rooms: list[Room] = []
    if settings.role in ("all", "check"):
        checker, is_current = memory.checker, memory.changes.is_current
        quick = QuickChecks(checker, storage.quick_counters, clock, is_current)
        rooms.append(EntitlementServicer(checker, quick, memory.hub))
        shared = SharedMutations(db, clock, memory.changes)
        rooms.append(ReservationServicer(db, events, shared, clock, checker, settler))
    if settings.role in ("all", "ingest"):
        rooms.append(
            IngestionServicer(
                ingestor, _desk(storage, mutations, directory, clock, ingestor.admission), secret
            )
        )
    if settings.role == "all":
        rooms += [
            merchant.MerchantServicer(
                db,
                mutations,
                downgrade_plan_problem,
                merchant.Numbering(partial(next_numbers, clock), partial(start_numbering, clock)),
            ),
            merchant.ApiKeyServicer(*ordinary),
            TestClockServicer(*ordinary),
            merchant.AuditServicer(*ordinary),
            CustomerServicer(*ordinary, check_nothing_runs),
            UserServicer(*ordinary),
            FeatureServicer(*ordinary),
            MetricServicer(*ordinary),
            PlanServicer(*ordinary),
            PriceServicer(*ordinary),
            CreditDefinitionServicer(*ordinary),
            PricingTableServicer(*ordinary),
            UsageServicer(db, events, clock, secret, mutations),
            TopUpServicer(*ordinary),
            SubscriptionServicer(
                *ordinary,
                partial(_settle, events),
                partial(_settle_creation, events),
                partial(_count_ended, events),
            ),
            MigrationServicer(*ordinary),
            SeatServicer(*ordinary),
            InvoiceServicer(db, events, mutations, clock, secret),
            CreditNoteServicer(*ordinary),
            BillingRunServicer(*ordinary),
            PreviewServicer(db, events, clock, secret),
            TaxServicer(*ordinary),
        ]
    return rooms


async def _settle(events: EventStore, tx: Tx, changed: Changed) -> list[str]:
    """Bills a change at once where it asks for that: billing's part of a change of a subscription."""
    return await settle(tx, events, changed)


async def _settle_creation(events: EventStore, tx: Tx, made: Subscription) -> list[str]:
    """Bills what is due first of a subscription, where it must come to what a preview showed."""
    return await settle_creation(tx, events, made)


async def _count_ended(events: EventStore, tx: Tx, made: Subscription) -> None:
    """Takes off a new subscription's allowance what one that ended has used of the running period."""
    await count_ended_before(tx, events, made, now=made.created_at)


def _desk(
    storage: Storage,
    mutations: Mutations,
    directory: Directory,
    clock: Clock,
    admission: Admission,
) -> CorrectionDesk:
    """What corrections work with."""
    preparer = Preparer(directory, clock)
    return CorrectionDesk(
        db=storage.db,
        events=storage.events,
        mutations=mutations,
        counters=storage.counters,
        preparer=preparer,
        recorder=BackfillRecorder(storage.events, directory, preparer, clock, admission),
        clock=clock,
    )
