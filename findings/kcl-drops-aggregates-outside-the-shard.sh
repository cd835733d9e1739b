#!/usr/bin/env bash
# KCL 3.5.1 (software.amazon.kinesis:amazon-kinesis-client) drops an aggregated record of the Kinesis Producer Library whole
# when the hash key of one of its user records is outside the shard's range: no exception, no log line. Its reader compares
# the keys unless skipShardSyncAtWorkerInitializationIfLeasesExist is set, so aggregates of several partition keys, and
# those written just before a reshard, never arrive. Seen: 3 user records inside give 3, one of three outside gives 0, and
# the same record without a range gives 3.
# Needs Maven and a JDK, 17 or later. Exits with 1 when the behaviour has changed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat > pom.xml <<'POM'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>finding</groupId><artifactId>kcl-aggregates</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>software.amazon.kinesis</groupId><artifactId>amazon-kinesis-client</artifactId><version>3.5.1</version>
    </dependency>
  </dependencies>
</project>
POM
mvn -q --batch-mode org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DoutputDirectory=jars > maven.log
cat > Aggregates.java <<'JAVA'
import com.google.protobuf.ByteString;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.List;
import software.amazon.kinesis.retrieval.AggregatorUtil;
import software.amazon.kinesis.retrieval.KinesisClientRecord;
import software.amazon.kinesis.retrieval.kpl.Messages;

public class Aggregates {
    /** One aggregated record with a user record for each hash key. */
    static KinesisClientRecord aggregate(String... hashKeys) throws Exception {
        Messages.AggregatedRecord.Builder all = Messages.AggregatedRecord.newBuilder();
        for (int i = 0; i < hashKeys.length; i++) {
            all.addPartitionKeyTable("key-" + i).addExplicitHashKeyTable(hashKeys[i]);
            all.addRecords(Messages.Record.newBuilder()
                    .setPartitionKeyIndex(i)
                    .setExplicitHashKeyIndex(i)
                    .setData(ByteString.copyFromUtf8("user record " + i)));
        }
        byte[] message = all.build().toByteArray();
        byte[] digest = MessageDigest.getInstance("MD5").digest(message);
        ByteBuffer data = ByteBuffer.allocate(4 + message.length + digest.length);
        data.putInt(0xF3899AC2).put(message).put(digest).flip();
        return KinesisClientRecord.builder().data(data).partitionKey("key-0").sequenceNumber("1").build();
    }

    public static void main(String[] arguments) throws Exception {
        String last = "170141183460469231731687303715884105727";
        String outside = "340282366920938463463374607431768211455";
        AggregatorUtil reader = new AggregatorUtil();
        System.out.println("inside " + reader.deaggregate(List.of(aggregate("1", "2", "3")), "0", last).size());
        System.out.println("one outside " + reader.deaggregate(List.of(aggregate("1", "2", outside)), "0", last).size());
        System.out.println("no range " + reader.deaggregate(List.of(aggregate("1", "2", outside))).size());
    }
}
JAVA
javac -cp 'jars/*' Aggregates.java
seen=$(java -cp 'jars/*:.' Aggregates 2> /dev/null | tr '\n' ',')
echo "amazon-kinesis-client 3.5.1: user records given: $seen"
[ "$seen" = 'inside 3,one outside 0,no range 3,' ]
