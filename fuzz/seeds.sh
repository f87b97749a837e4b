#!/usr/bin/env bash
# Makes the first inputs of each target in fuzz/corpus, from which the search starts: seeds.sh. None is kept in git.
# With qemu-img there are true images among them.
set -euo pipefail
cd "$(dirname "$0")"

put() { # target name: standard input
  mkdir -p "corpus/$1"
  cat >"corpus/$1/seed-$2"
}
# Numbers of so many bytes, big endian: be 4 7 → 00 00 00 07
be() { local hex; printf -v hex "%0$((2 * $1))x" "$2"; printf '%b' "$(sed 's/../\\x&/g' <<<"$hex")"; }
hello() { printf 'NBDMAGICIHAVEOPT'; be 2 3; }
option_reply() { printf '\x00\x03\xe8\x89\x04\x55\x65\xa9'; be 4 "$1"; be 4 "$2"; be 4 "$3"; } # option kind length
export_info() { be 2 0; be 8 "$1"; be 2 "$2"; }                                               # size flags
block_info() { be 2 3; be 4 1; be 4 4096; be 4 33554432; }
simple() { printf '\x67\x44\x66\x98'; be 4 "$1"; be 8 "$2"; }                                 # error cookie
chunk() { printf '\x66\x8e\x33\xef'; be 2 "$1"; be 2 "$2"; be 8 "$3"; be 4 "$4"; }            # flags kind cookie length
status() { be 4 "$1"; be 4 4096; be 4 3; be 4 4096; be 4 0; }                                 # context, and two runs

# --- one message at a time
hello | put nbd_wire hello
option_reply 7 3 12 | put nbd_wire option
export_info 1048576 269 | put nbd_wire export
block_info | put nbd_wire block
{ be 4 1; printf 'base:allocation'; } | put nbd_wire context
simple 0 1 | put nbd_wire simple
chunk 1 5 2 20 | put nbd_wire chunk
{ be 8 512; be 4 4096; } | put nbd_wire hole
status 1 | put nbd_wire status
{ be 4 28; be 2 4; printf 'full'; } | put nbd_wire error
{ be 8 4096; be 8 512; be 8 4096; be 8 65536; } | put nbd_wire place
printf 'nbd+unix:///sda?socket=/run/x.sock' | put nbd_wire unix
printf 'nbd://[::1]:10810/a' | put nbd_wire tcp

# --- a whole talk: hello, structured replies, contexts, the export, then the answers to requests 1, 2, 3
agree() {
  hello
  option_reply 8 1 0
  option_reply 10 4 19; be 4 1; printf 'base:allocation'
  option_reply 10 4 23; be 4 2; printf 'qemu:dirty-bitmap:b'
  option_reply 10 1 0
  option_reply 7 3 12; export_info 8192 269
  option_reply 7 3 14; block_info
  option_reply 7 1 0
}
{
  agree
  chunk 1 5 1 20; status 1
  chunk 1 5 2 20; status 2
  chunk 0 1 3 2056; be 8 0; head -c 2048 /dev/zero
  chunk 1 2 3 12; be 8 2048; be 4 2048
} | put nbd_server structured
{ agree; chunk 1 32769 1 10; be 4 5; be 2 4; printf 'lost'; } | put nbd_server error
{
  hello
  option_reply 8 2147483649 0
  option_reply 7 3 12; export_info 4096 1
  option_reply 7 1 0
  simple 0 1; head -c 4096 /dev/zero
} | put nbd_server simple
{ hello; option_reply 8 1 0; option_reply 10 2147483649 0; option_reply 7 2147483654 6; printf 'absent'; } | put nbd_server absent

# --- disk images
header() { # version cluster_bits size l1_entries l1_offset refcount_offset
  printf 'QFI\xfb'; be 4 "$1"; be 8 0; be 4 0; be 4 "$2"; be 8 "$3"; be 4 0; be 4 "$4"; be 8 "$5"; be 8 "$6"; be 4 1
  be 4 0; be 8 0; be 24 0; be 4 4; be 4 112; be 8 0
}
le_len() { printf '\x00\x00\x04\x00\x00\x00\x00\x00'; } # 256 KiB
{ le_len; header 3 16 1073741824 2 196608 65536; be 8 0; be 8 131072; } | put qcow2_header v3
{ le_len; header 2 9 65536 2 1024 512; be 8 2048; } | put qcow2_header v2
{ le_len; printf 'KDMV'; head -c 60 /dev/zero; } | put qcow2_header vmdk
# An empty disk of 64 KiB, then one with a second table and data, with clusters of 512 bytes.
{
  header 3 9 65536 2 1536 512; head -c 400 /dev/zero
  be 8 1024; head -c 504 /dev/zero   # table of reference counts
  head -c 512 /dev/zero              # reference counts
  head -c 512 /dev/zero              # first table
} | put qcow2_image empty
{
  header 3 9 65536 2 1536 512; head -c 400 /dev/zero
  be 8 1024; head -c 504 /dev/zero
  for _ in 1 2 3 4 5 6; do be 2 1; done; head -c 500 /dev/zero
  printf '\x80'; be 7 2048; head -c 504 /dev/zero
  printf '\x80'; be 7 2560; be 8 1; head -c 496 /dev/zero # second table: data, zeros
  printf 'x%.0s' {1..512}
} | put qcow2_image data
if command -v qemu-img >/dev/null && command -v qemu-io >/dev/null; then
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  for options in cluster_size=512 cluster_size=4096 cluster_size=512,compat=0.10 cluster_size=512,compression_type=zstd; do
    image="$scratch/image"
    qemu-img create -q -f qcow2 -o "$options" "$image" 192K 2>/dev/null || continue
    qemu-io -f qcow2 -c 'write -q -P 7 0 2k' -c 'write -q -z 8k 4k' -c 'write -q -P 9 100k 512' "$image" >/dev/null
    put qcow2_image "qemu-$options" <"$image"
    qemu-img convert -c -f qcow2 -O qcow2 -o "$options" "$image" "$image-c" 2>/dev/null && put qcow2_image "packed-$options" <"$image-c"
  done
else
  echo "left out: images by qemu-img, which is not installed"
fi

# --- frames
definition='{"name":"aws","kind":"aws","settings":{"secret_access_key":"hunter2hunter2","tags":{"a":"b"}}}'
snapshot='{"snapshot_id":"snap-1","disk_id":"vol-1","device":"vda","boot":true,"size_bytes":1048576,"locator":{}}'
source='{"definition":'$definition',"snapshot":'$snapshot',"base":null}'
printf '%s' '{"type":"ping"}' | put mover_frame ping
printf '%s' '{"type":"set_rate","bytes_per_second":1000}' | put mover_frame rate
printf '%s' '{"type":"forget","ledger_key":"a/b"}' | put mover_frame forget
printf '%s' '{"type":"start","source":'"$source"',"target":{"definition":'"$definition"',"disk":{"disk_id":"vol-2","index":0,"size_bytes":1048576,"spec":{},"locator":null}},"options":{},"ledger_key":"k"}' | put mover_frame start
printf '%s' '{"type":"pong","version":"0.1.0"}' | put mover_frame pong
printf '%s' '{"type":"failed","code":"throttled","message":"m","advice":null,"operation":null,"provider":"aws","request_id":null,"retry_after_ms":5}' | put mover_frame failed

# --- configuration
put config multicloud <<'Y'
aws:
  enabled: true
  region: us-east-1
  secret_access_key: ${SECRET}
  tags: {team: a}
local: {kind: files, path: /tmp/disks}
migration_options: {compression_enabled: true, chunk_size_mb: 64, parallel_transfers: 4, bandwidth_limit: 0, grace_period_seconds: 5}
logging: {level: info, format: json, output: stdout}
server: {listen: "127.0.0.1:8080", tokens: [{name: a, role: admin, token: "${SECRET:-x}"}]}
store: {url: "postgres://u:${SECRET}@h/n"}
mover: {memory_limit: 256MiB}
Y
put config federation <<'Y'
apiVersion: novacron.io/v1
kind: FederationConfig
metadata: {name: f}
spec:
  providers: &p
    - {name: a, kind: aws, region: us-east-1}
    - name: b
      kind: files
      path: $${HOME}/x
Y
put config placement <<'Y'
local: {kind: files, capacity: {vcpus: 8, memory: 32Gi}, cost: {price: 2000, lifetime_years: 4, watts: 60, price_per_kwh: 0.3}, location: "50.1,8.7", country: DE}
orchestrator: {default_cloud: local, placement_policy: cost, weights: {cost: 7, carbon: 3}, quotas: [{provider: aws, vcpus: 64, monthly_budget: 100 USD}], performance_targets: {max_latency_ms: 10ms, required_sla: 99.9}}
policies:
  - {name: a, priority: 1, condition: {type: label, key: k, operator: in, values: [x, y]}, action: {type: restrict, providers: [aws]}}
  - {name: b, action: {type: scale, factor: 2}, score_multiplier: 1.5}
  - {name: c, action: {type: distribute, min_providers: 2, group_by: app}}
optimization: {schedule: "*/5 1-3 L * MON#2", strategies: [carbon]}
bursting: {enabled: true, threshold_percent: 90, targets: [aws]}
catalog: {stale: refuse, refresh_schedule: "0 4 * * *", sources: {gcp: {api_key: "${SECRET}"}}}
Y
printf 'a: &a [x]\nb: *a\nc: !!str 1\n---\n' | put config anchors

# --- manifests
put manifests machine <../crates/config/tests/seeds/machine.yaml
{ cat ../crates/config/tests/seeds/federation.yaml; printf -- '---\n'; cat ../crates/config/tests/seeds/machine.yaml; } | put manifests both
put manifests whole <<'Y'
apiVersion: novacron.io/v1alpha1
kind: VirtualMachine
metadata: {name: web, labels: {tier: "${SECRET}"}, annotations: {a: b}}
spec:
  replicas: 3
  federation:
    enabled: false
    placement:
      strategy: carbon
      weights: {cost: 1, location: 2}
      pricing: [spot, on-demand]
      maxCostPerHour: 0.25 USD
      performance_targets: {minCpu: 2, minMemoryGb: 4, maxLatencyMs: 10ms, requiredSla: 99.9}
      complianceRequirements: [HIPAA]
      preferredRegions: [us-east]
      near: us-east-1
      allowBurstable: false
      constraints: [{type: sla, operator: ">=", value: 99.9}, {type: architecture, value: arm64}, {type: pricing, operator: not-in, values: [spot]}]
  template: {spec: {resources: {cpu: 2, memory: 1.5GiB, disk: 100GB, gpu: {count: 1, model: a100, memoryGb: 40}}, architecture: arm64, image: i, userData: "x", workload: batch, diskType: gp3, trafficGbPerMonth: 5}}
Y
printf '%s' '{"apiVersion":"novacron.io/v1alpha1","kind":"VirtualMachine","metadata":{"name":"a"},"spec":{"template":{"spec":{"resources":{"cpu":1,"memory":1073741824}}}}}' | put manifests json

# --- a machine's record
printf '%s' '{"version":1,"id":"vm-1","name":"n","tag":"op-1","spec":{"vcpus":2,"memory_bytes":1073741824},"disks":[{"file":"disk-0.raw","format":"raw","size_bytes":1048576,"spec":{}}],"created_at":"2026-11-22T10:00:00Z"}' | put files_record one

# --- libvirt
put libvirt_xml domain <<'X'
<domain type='kvm'><name>web</name><uuid>4dea22b3-1d52-d8f3-2516-782e98ab3fa0</uuid>
<metadata><v:vm xmlns:v='urn:novacron:vm:1'><v:operation>op-1</v:operation><v:label key='a'>b&#13;&#127;</v:label></v:vm>
<s:snapshots xmlns:s='urn:novacron:snapshots:1'><s:snapshot name='nc-000102030405060708090a0b0c0d0e0f-1-0000000a' disks='vda vdb' held='no'/></s:snapshots></metadata>
<memory unit='KiB'>1048576</memory><vcpu current='1'>2</vcpu><os firmware='efi'><type arch='x86_64' machine='q35'>hvm</type><loader type='pflash'/></os>
<devices><disk type='file' device='disk'><driver type='qcow2'/><source file='/a'/><target dev='vda' bus='virtio'/><boot order='1'/></disk>
<disk type='volume'><source pool='p' volume='v'/><target dev='vdb'/><readonly/></disk>
<disk type='network'><source protocol='nbd' name='x'/><target dev='vdc'/></disk>
<interface type='network'><mac address='52:54:00:00:00:01'/><source network='default'/><model type='virtio'/></interface></devices></domain>
X
put libvirt_xml job <<'X'
<domainbackup mode='pull'><server transport='unix' socket='/s'/><disks><disk name='vda' backup='yes' type='file' exportname='vda' incremental='nc-000102030405060708090a0b0c0d0e0f-1-0000000a' exportbitmap='changed-vda'><scratch file='/i/nc-000102030405060708090a0b0c0d0e0f-2-0000000b-vda.scratch'/></disk></disks></domainbackup>
X
put libvirt_xml volume <<'X'
<volume><name>a</name><capacity unit='GiB'>8</capacity><target><path>/a</path><format type='qcow2'/></target><backingStore><path>/b</path></backingStore></volume>
X
put libvirt_xml capabilities <<'X'
<domainCapabilities><path>/usr/bin/qemu</path><machine>q35</machine><os><enum name='firmware'><value>efi</value></enum></os></domainCapabilities>
X
put libvirt_xml snapshots <<'X'
<snapshots><snapshot name='nc-000102030405060708090a0b0c0d0e0f-1-0000000a' disks='vda' held='yes'/></snapshots>
X

# --- price lists
put price_lists azure <<'X'
a{"BillingCurrency":"USD","Items":[{"currencyCode":"USD","tierMinimumUnits":0.0,"retailPrice":0.096,"armRegionName":"eastus","effectiveStartDate":"2021-11-01T00:00:00Z","meterName":"D2s v5","productName":"Virtual Machines Dsv5 Series","skuName":"D2s v5 Spot","unitOfMeasure":"1 Hour","type":"Consumption","armSkuName":"Standard_D2s_v5"},{"currencyCode":"USD","retailPrice":578.16,"armRegionName":"eastus","armSkuName":"Standard_D2s_v5","unitOfMeasure":"1 Hour","type":"Reservation","reservationTerm":"1 Year"}],"NextPageLink":"https://prices.azure.com:443/api/retail/prices?$skip=100","Count":2}
X
put price_lists google <<'X'
g{"skus":[{"description":"Spot Preemptible E2 Instance Core running in Iowa","category":{"usageType":"Preemptible"},"serviceRegions":["us-central1"],"pricingInfo":[{"effectiveTime":"2026-11-01T07:00:00.123Z","pricingExpression":{"usageUnit":"h","tieredRates":[{"startUsageAmount":0,"unitPrice":{"currencyCode":"USD","units":"0","nanos":0}},{"startUsageAmount":744,"unitPrice":{"currencyCode":"USD","units":"1","nanos":21811590}}]}}]}],"nextPageToken":"x"}
X
put price_lists oracle <<'X'
o{"items":[{"partNumber":"B93297","metricName":"OCPU Per Hour","currencyCodeLocalizations":[{"currencyCode":"USD","prices":[{"model":"PAY_AS_YOU_GO","rangeMin":0,"rangeMax":3000,"value":0},{"model":"PAY_AS_YOU_GO","rangeMin":3000,"value":0.01}]}]}]}
X
printf 'd-1.2500000005E-05' | put price_lists amount

# --- the sandbox's AWS
put sandbox_unsigned query <<'X'
POST /
host:127.0.0.1
content-type:application/x-www-form-urlencoded
x-amz-date:20261123T101112Z
authorization:AWS4-HMAC-SHA256 Credential=AKIA/20261123/us-east-1/ec2/aws4_request, SignedHeaders=host;x-amz-date, Signature=00

Action=DescribeInstances
X
put sandbox_unsigned ebs <<'X'
GET /snapshots/snap-1/blocks?maxResults=100
host:127.0.0.1
x-amz-date:20261123T101112Z
x-amz-content-sha256:UNSIGNED-PAYLOAD
authorization:AWS4-HMAC-SHA256 Credential=AKIA/20261123/us-east-1/ebs/aws4_request, SignedHeaders=host, Signature=00
X
put sandbox_unsigned metrics <<'X'
POST /service/GraniteServiceVersion20100801/operation/ListMetrics
smithy-protocol:rpc-v2-cbor
content-length:99999999999
X
ask() { # name, requests
  local name=$1 text=$2
  shift 2
  for more in "$@"; do text+=$'\n--\n'$more; done
  printf '%s' "$text" | put sandbox_signed "$name"
}
ask run qAction=DescribeImages 'qAction=RunInstances&ImageId=@a&InstanceType=t3.micro&MinCount=1&MaxCount=2&ClientToken=t&BlockDeviceMapping.1.DeviceName=%2Fdev%2Fsdf&BlockDeviceMapping.1.Ebs.VolumeSize=8&TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=a&TagSpecification.1.Tag.1.Value=b' \
  'qAction=DescribeInstances&Filter.1.Name=tag:a&Filter.1.Value.1=b*&MaxResults=5' 'qAction=StopInstances&InstanceId.1=@i&Force=true' 'qAction=CreateImage&InstanceId=@i&Name=n' 'qAction=TerminateInstances&InstanceId.1=@i'
ask spot qAction=DescribeImages 'qAction=RunInstances&ImageId=@a&MinCount=1&MaxCount=1&InstanceMarketOptions.MarketType=spot&InstanceMarketOptions.SpotOptions.MaxPrice=0.5&UserData=aGk=&IamInstanceProfile.Name=p&PrivateIpAddress=172.31.0.9&Placement.AvailabilityZone=us-east-1a' qAction=DescribeSpotInstanceRequests
ask volume 'qAction=CreateVolume&Size=8&AvailabilityZone=us-east-1a&VolumeType=gp3&Iops=3000&Throughput=125' 'qAction=CreateSnapshot&VolumeId=@v&Description=d' 'qAction=DescribeSnapshots&SnapshotId.1=@s' 'qAction=RegisterImage&Name=m&RootDeviceName=%2Fdev%2Fxvda&BlockDeviceMapping.1.DeviceName=%2Fdev%2Fxvda&BlockDeviceMapping.1.Ebs.SnapshotId=@s&Architecture=arm64' 'qAction=CopyImage&SourceImageId=@a&SourceRegion=us-east-1&Name=c' 'qAction=DeleteVolume&VolumeId=@v'
ask tags 'qAction=CreateVolume&Size=1&AvailabilityZone=us-east-1b' 'qAction=CreateTags&ResourceId.1=@v&Tag.1.Key=k&Tag.1.Value=%00%26' 'qAction=DescribeTags&Filter.1.Name=resource-id&Filter.1.Value.1=@v' 'qAction=DeleteTags&ResourceId.1=@v&Tag.1.Key=k'
ask places qAction=DescribeRegions qAction=DescribeSubnets 'qAction=DescribeInstanceTypes&InstanceType.1=t3.micro' 'qAction=DescribeSecurityGroups&GroupName.1=default'
ask ebs 'ePOST /snapshots {"VolumeSize":1,"Description":"d","ClientToken":"t","Timeout":60,"Tags":[{"Key":"a","Value":"b"}]}' 'eGET /snapshots/@s/blocks?maxResults=100 ' 'ePOST /snapshots/completion/@s?x= ' 'eGET /snapshots/@s/changedblocks?startingBlockIndex=1 ' 'ePUT /snapshots/@s/blocks/0 x'
ask sts sAction=GetCallerIdentity 'sAction=AssumeRole&RoleArn=arn:aws:iam::000000000000:role/r&RoleSessionName=s&DurationSeconds=900'
ask json 'jPutMetricData {"Namespace":"n","MetricData":[{"MetricName":"m","Value":1.5,"Unit":"Percent","Timestamp":1764000000,"Dimensions":[{"Name":"InstanceId","Value":"i-1"}]}]}' 'jGetMetricStatistics {"Namespace":"n","MetricName":"m","StartTime":1763990000,"EndTime":1764010000,"Period":60,"Statistics":["Average","Maximum"]}' 'jGetMetricData {"StartTime":1763990000,"EndTime":1764010000,"MetricDataQueries":[{"Id":"a","MetricStat":{"Metric":{"Namespace":"n","MetricName":"m"},"Period":60,"Stat":"Sum"}}]}' 'jListMetrics {}'
{ printf 'cListMetrics '; printf '\xbf\x69Namespace\x61n\xff'; } | put sandbox_signed cbor
