// Makes one copy from a web page, which bundles this file. The page keeps the request id
// until the copy has succeeded, so that another click makes no second integration.

import { ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";

import { outcome } from "./digate-errors.js";
import { IntegrationService } from "./generated/diga/integration/v1/integration_service_pb.js";

const diga = createClient(IntegrationService, createConnectTransport({ baseUrl: "https://digate.example" }));

export async function copy(templateId: string, requestId: string, token: string): Promise<string> {
  try {
    const { integration } = await diga.copyTemplate(
      { templateId, requestId },
      { headers: { Authorization: `Bearer ${token}` }, timeoutMs: 10_000 },
    );
    return `copied: ${integration?.name}`;
  } catch (error) {
    return `${outcome(ConnectError.from(error))}: ${ConnectError.from(error).rawMessage}`;
  }
}
