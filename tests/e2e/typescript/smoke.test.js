// Calls a live server through the TypeScript SDK, as built: CANDELA_ADDRESS and CANDELA_API_KEY say which.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { CandelaClient } from "../../../sdk/typescript/dist/index.js";
import { Aggregation } from "../../../sdk/typescript/dist/gen/candela/catalog/v1/metric_pb.js";
import { FeatureType } from "../../../sdk/typescript/dist/gen/candela/catalog/v1/feature_pb.js";
import { BillingTiming, ComponentKind } from "../../../sdk/typescript/dist/gen/candela/catalog/v1/price_pb.js";
import { EventOutcome } from "../../../sdk/typescript/dist/gen/candela/metering/v1/event_pb.js";

// What gRPC calls them; the SDK's errors carry the number.
const NOT_FOUND = 5;
const UNAUTHENTICATED = 16;

const address = process.env.CANDELA_ADDRESS;
const apiKey = process.env.CANDELA_API_KEY;
// Names of this process's own, which never read like a key or a number.
const mark = `ts-${process.pid}`;
const userId = `user-${mark}`;
const externalCustomerId = `acme-${mark}`;
const analytics = `analytics-${mark}`;
const messages = `messages-${mark}`;
const eventName = `message-${mark}`;
const candela = new CandelaClient({ address, apiKey });

after(() => candela.close());

// Sells a plan with a boolean and a counted feature to a customer with one user.
before(async () => {
  const { customers, users, plans, subscriptions } = candela.services;
  const customer = { ref: { case: "externalId", value: externalCustomerId } };
  await customers.createCustomer({ name: "Acme", externalId: externalCustomerId });
  await users.createUser({ customer, externalId: userId, name: "Ada" });
  await plans.createPlan({
    slug: `plan-${mark}`,
    name: "Team",
    metrics: [{ slug: messages, name: "Messages", aggregation: Aggregation.SUM, eventNames: [eventName] }],
    features: [
      {
        feature: { case: "newFeature", value: { slug: analytics, name: "Analytics", type: FeatureType.BOOLEAN } },
      },
      {
        feature: {
          case: "newFeature",
          value: {
            slug: messages,
            name: "Messages",
            type: FeatureType.NUMBER,
            metric: { ref: { case: "slug", value: messages } },
          },
        },
        value: { value: { case: "number", value: "10" } },
      },
    ],
    prices: [
      {
        name: "Monthly",
        currency: "USD",
        components: [
          {
            name: "Seat",
            kind: ComponentKind.PER_UNIT,
            recurrenceRule: "FREQ=MONTHLY",
            timing: BillingTiming.IN_ADVANCE,
            charge: { model: { case: "flat", value: { unitPrice: { currency: "USD", amount: "30" } } } },
          },
        ],
      },
    ],
  });
  await subscriptions.createSubscription({ customer, plan: { ref: { case: "slug", value: `plan-${mark}` } } });
});

test("a boolean feature of the plan: entitled", async () => {
  assert.equal(await candela.isFeatureEntitled({ feature: analytics, userId }), true);
});

test("the same event twice: counted once, and usage says so", async () => {
  const event = { name: eventName, value: "2.5", userId, idempotencyKey: eventName, properties: { model: "large" } };

  const outcomes = [(await candela.sendEvent(event)).outcome, (await candela.sendEvent(event)).outcome];
  assert.deepEqual(outcomes, [EventOutcome.ACCEPTED, EventOutcome.DEDUPLICATED]);

  const { features } = await candela.getUsage({ userId });
  assert.equal(features.find((one) => one.feature === messages)?.usage?.used, "2.5");
});

test("an unknown feature: an error, never a no", async () => {
  await assert.rejects(candela.isFeatureEntitled({ feature: "no-such-feature", externalCustomerId }), {
    code: NOT_FOUND,
  });
});

test("a wrong key: unauthenticated", async () => {
  const stranger = new CandelaClient({ address, apiKey: "sk_test_wrong" });
  try {
    await assert.rejects(stranger.services.merchant.getMerchant({}), { code: UNAUTHENTICATED });
  } finally {
    stranger.close();
  }
});

test("a value that is not exact: refused before it is sent", async () => {
  await assert.rejects(async () => candela.sendEvent({ name: eventName, value: 0.1, userId }), TypeError);
});
