// The client, as built, against an HTTP/2 server in this process that refuses, breaks and answers as told.
import assert from "node:assert/strict";
import { createServer } from "node:http2";
import { test } from "node:test";

import { Code, ConnectError } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";

import { isLoopback } from "../dist/address.js";
import { FeatureService } from "../dist/gen/candela/catalog/v1/feature_service_pb.js";
import { IngestionService } from "../dist/gen/candela/metering/v1/ingestion_service_pb.js";
import { CandelaClient } from "../dist/index.js";

const ATTEMPTS = 4;

// Serves until the test ends; gives a client for it.
async function serve(t, routes, options = {}) {
  const sessions = new Set();
  const server = createServer(connectNodeAdapter({ routes: (router) => routes(router, sessions) }));
  server.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
    session.on("error", () => {});
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const client = new CandelaClient({
    address: `127.0.0.1:${server.address().port}`,
    apiKey: "sk_test_key",
    ...options,
  });
  t.after(() => {
    client.close();
    sessions.forEach((session) => session.destroy());
    server.close();
  });
  return client;
}

test("a server that is unavailable twice: asked again with the same idempotency key and API key", async (t) => {
  const seen = [];
  const client = await serve(t, (router) =>
    router.service(FeatureService, {
      createFeature: (request, context) => {
        seen.push([request.idempotencyKey, context.requestHeader.get("authorization")]);
        if (seen.length < 3) {
          throw new ConnectError("starting", Code.Unavailable);
        }
        return {};
      },
    }),
  );

  await client.services.features.createFeature({ slug: "analytics" });

  assert.equal(seen.length, 3);
  assert.notEqual(seen[0][0], "");
  assert.deepEqual(new Set(seen.map((one) => one.join())), new Set([`${seen[0][0]},Bearer sk_test_key`]));
});

test("a connection that breaks during a call: asked again over a new one", async (t) => {
  const keys = [];
  const client = await serve(t, (router, sessions) =>
    router.service(FeatureService, {
      createFeature: (request) => {
        keys.push(request.idempotencyKey);
        if (keys.length === 1) {
          sessions.forEach((session) => session.socket.resetAndDestroy());
        }
        return {};
      },
    }),
  );

  await client.services.features.createFeature({ slug: "analytics" });

  assert.equal(keys.length, 2);
  assert.equal(keys[0], keys[1]);
});

test("a server that stays unavailable: the refusal is told after four attempts", async (t) => {
  let calls = 0;
  const client = await serve(t, (router) =>
    router.service(FeatureService, {
      createFeature: () => {
        calls += 1;
        throw new ConnectError("down", Code.Unavailable);
      },
    }),
  );

  await assert.rejects(client.services.features.createFeature({}), { code: Code.Unavailable });

  assert.equal(calls, ATTEMPTS);
});

for (const code of [Code.Aborted, Code.Internal, Code.NotFound]) {
  test(`a refusal of the server's own (${Code[code]}): told at once`, async (t) => {
    let calls = 0;
    const client = await serve(t, (router) =>
      router.service(FeatureService, {
        createFeature: () => {
          calls += 1;
          throw new ConnectError("no", code);
        },
      }),
    );

    await assert.rejects(client.services.features.createFeature({}), { code });

    assert.equal(calls, 1);
  });
}

test("a key of the caller's own: kept", async (t) => {
  let key;
  const client = await serve(t, (router) =>
    router.service(FeatureService, {
      createFeature: (request) => {
        key = request.idempotencyKey;
        return {};
      },
    }),
  );

  await client.services.features.createFeature({ idempotencyKey: "mine" });

  assert.equal(key, "mine");
});

test("a server that never answers: the client's timeout ends the call", async (t) => {
  const client = await serve(
    t,
    (router) => router.service(FeatureService, { createFeature: () => new Promise(() => {}) }),
    { timeoutMs: 50 },
  );

  await assert.rejects(client.services.features.createFeature({}), { code: Code.DeadlineExceeded });
});

test("a stream that outlasts the client's timeout: goes on", async (t) => {
  const client = await serve(
    t,
    (router) =>
      router.service(IngestionService, {
        async *streamEvents(_requests, context) {
          assert.equal(context.timeoutMs(), undefined);
          yield {};
        },
      }),
    { timeoutMs: 50 },
  );
  let answers = 0;

  for await (const _ of client.services.ingestion.streamEvents((async function* () {})())) {
    answers += 1;
  }

  assert.equal(answers, 1);
});

test("only the machine's own loopback is not encrypted", () => {
  for (const address of ["127.0.0.1:8430", "127.8.8.8:1", "localhost:8430", "[::1]:8430"]) {
    assert.equal(isLoopback(address), true, address);
  }
  for (const address of ["candela.example:443", "10.0.0.1:8430", "127.evil.example:8430", "localhost.example:1"]) {
    assert.equal(isLoopback(address), false, address);
  }
});
