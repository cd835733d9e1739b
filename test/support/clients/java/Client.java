import java.util.Map;
import org.komamitsu.fluency.Fluency;
import org.komamitsu.fluency.fluentd.FluencyBuilderForFluentd;

/** Sends numbered events with Fluency: Client PORT COUNT [ack] [tls]. */
class Client {
  public static void main(String[] args) throws Exception {
    int port = Integer.parseInt(args[0]);
    int count = Integer.parseInt(args[1]);
    var options = java.util.List.of(args);
    var builder = new FluencyBuilderForFluentd();
    builder.setAckResponseMode(options.contains("ack"));
    builder.setSslEnabled(options.contains("tls"));
    builder.setWaitUntilBufferFlushed(30);
    try (Fluency fluency = builder.build("127.0.0.1", port)) {
      for (int n = 1; n <= count; n++) {
        fluency.emit("app.java", Map.of("n", n, "text", "grün " + n));
      }
      fluency.flush();
    }
  }
}
