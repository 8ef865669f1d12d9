// Sends numbered logs, spans and a metric with the JavaScript exporters, and waits for their answers.
import { OTLPLogExporter } from "@opentelemetry/exporter-logs-otlp-http";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-http";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchLogRecordProcessor, LoggerProvider } from "@opentelemetry/sdk-logs";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { diag, DiagConsoleLogger, DiagLogLevel } from "@opentelemetry/api";

const [base, count, compression] = [process.argv[2], Number(process.argv[3]), process.argv[4]];
diag.setLogger(new DiagConsoleLogger(), DiagLogLevel.WARN); // a failed export is said on standard error
const resource = resourceFromAttributes({ "service.name": "js-test" });
const to = (signal) => ({ url: `${base}/v1/${signal}`, compression });

const logs = new LoggerProvider({ resource, processors: [new BatchLogRecordProcessor(new OTLPLogExporter(to("logs")))] });
const spans = new BasicTracerProvider({ resource, spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter(to("traces")))] });
const reader = new PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter(to("metrics")), exportIntervalMillis: 3_600_000 });
const metrics = new MeterProvider({ resource, readers: [reader] });

const counter = metrics.getMeter("js").createCounter("js.things");
for (let number = 0; number < count; number++) {
  const attributes = { number, text: `n${number}`, list: [1, 2.5, 3], yes: true };
  logs.getLogger("js").emit({ body: `message ${number}`, attributes, severityText: "INFO" });
  spans.getTracer("js").startSpan(`span ${number}`, { attributes }).end();
  counter.add(1, { number });
}
await Promise.all([logs.shutdown(), spans.shutdown(), metrics.shutdown()]);
