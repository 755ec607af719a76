import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigInteger;
import java.time.Duration;
import java.time.Instant;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeFormatterBuilder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;

/** Kafka Streams with Jackson's streaming parser: the service's job, as many threads as the service has workers. */
public final class Peer {
    private static final JsonFactory JSON = new JsonFactory();
    private static final DateTimeFormatter MICROSECONDS = new DateTimeFormatterBuilder().appendInstant(6).toFormatter();
    private static final int BATCHID_CHARACTERS_MAX = 256;

    public static void main(String[] arguments) {
        Map<String, String> environment = System.getenv();
        Properties properties = new Properties();
        properties.put(StreamsConfig.APPLICATION_ID_CONFIG, environment.get("BENCHMARK_GROUP_ID"));
        properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, environment.get("BENCHMARK_BOOTSTRAP_SERVERS"));
        properties.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, environment.get("BENCHMARK_WORKERS"));
        properties.put(StreamsConfig.STATE_DIR_CONFIG, environment.get("BENCHMARK_DIRECTORY"));
        properties.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 256 * 1024);
        properties.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 5); // Streams' own is 100

        StreamsBuilder builder = new StreamsBuilder();
        builder.stream(environment.get("BENCHMARK_REQUEST_TOPIC"), Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()))
                .mapValues(Peer::answer)
                .to(environment.get("BENCHMARK_RESULT_TOPIC"), Produced.with(Serdes.ByteArray(), Serdes.ByteArray()));
        KafkaStreams streams = new KafkaStreams(builder.build(), properties);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(10))));
        streams.start();
    }

    static byte[] answer(byte[] value) {
        String startedAt = MICROSECONDS.format(Instant.now());
        try {
            Request request = Request.parse(value);
            ByteArrayOutputStream bytes = new ByteArrayOutputStream(256);
            try (JsonGenerator json = JSON.createGenerator(bytes)) {
                json.writeStartObject();
                json.writeStringField("batchid", request.batchid);
                json.writeArrayFieldStart("response");
                for (Sum sum : request.sums) {
                    sum.write(json);
                }
                json.writeEndArray();
                json.writeStringField("status", "complete");
                json.writeStringField("started_at", startedAt);
                json.writeStringField("completed_at", MICROSECONDS.format(Instant.now()));
                json.writeEndObject();
            }
            return bytes.toByteArray();
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    /** A request, its lists summed as they are read. Unknown members are ignored; of duplicates the last one counts. */
    private record Request(String batchid, List<Sum> sums) {
        static Request parse(byte[] value) throws IOException {
            String batchid = null;
            List<Sum> sums = null;
            try (JsonParser json = JSON.createParser(value)) {
                require(json.nextToken() == JsonToken.START_OBJECT, "must be an object");
                for (String name = json.nextFieldName(); name != null; name = json.nextFieldName()) {
                    JsonToken token = json.nextToken();
                    switch (name) {
                        case "batchid" -> batchid = batchid(json, token);
                        case "payload" -> sums = payload(json, token);
                        default -> json.skipChildren();
                    }
                }
                require(json.nextToken() == null, "must be one document");
            }
            require(batchid != null && sums != null, "must have a batchid and a payload");
            return new Request(batchid, sums);
        }

        private static String batchid(JsonParser json, JsonToken token) throws IOException {
            require(token == JsonToken.VALUE_STRING, "batchid must be a string");
            String batchid = json.getText();
            int characters = batchid.codePointCount(0, batchid.length());
            require(characters >= 1 && characters <= BATCHID_CHARACTERS_MAX, "batchid must have 1 to 256 characters");
            return batchid;
        }

        private static List<Sum> payload(JsonParser json, JsonToken token) throws IOException {
            require(token == JsonToken.START_ARRAY, "payload must be a list");
            List<Sum> sums = new ArrayList<>();
            while (json.nextToken() != JsonToken.END_ARRAY) {
                require(json.currentToken() == JsonToken.START_ARRAY, "payload must be a list of lists");
                Sum sum = new Sum();
                for (JsonToken item = json.nextToken(); item != JsonToken.END_ARRAY; item = json.nextToken()) {
                    require(item == JsonToken.VALUE_NUMBER_INT, "payload must be a list of lists of integers");
                    sum.add(json);
                }
                sums.add(sum);
            }
            return sums;
        }

        private static void require(boolean holds, String message) throws IOException {
            if (!holds) {
                throw new IOException(message);
            }
        }
    }

    /** An exact sum: a long for as long as it fits. */
    private static final class Sum {
        private long small;
        private BigInteger large;

        void add(JsonParser json) throws IOException {
            if (large == null && json.getNumberType() != JsonParser.NumberType.BIG_INTEGER) {
                long next = json.getLongValue();
                long sum = small + next;
                if (((small ^ sum) & (next ^ sum)) >= 0) {
                    small = sum;
                    return;
                }
            }
            large = (large == null ? BigInteger.valueOf(small) : large).add(json.getBigIntegerValue());
        }

        void write(JsonGenerator json) throws IOException {
            if (large == null) {
                json.writeNumber(small);
            } else {
                json.writeNumber(large);
            }
        }
    }
}
