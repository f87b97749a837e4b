"""Walks through the sandbox with boto3, as the vendor ships it. Run by boto3.rs, which sets the environment."""

import base64
import datetime
import hashlib
import json
import os
import time
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT = os.environ["SANDBOX_ENDPOINT"]
KEY, SECRET = os.environ["SANDBOX_KEY"], os.environ["SANDBOX_SECRET"]
WEB, IMAGE = os.environ["SANDBOX_WEB"], os.environ["SANDBOX_IMAGE"]
BLOCK = 512 * 1024


def client(service, region="us-east-1", key=KEY, secret=SECRET, token=None, retries=0):
    return boto3.client(
        service,
        region_name=region,
        endpoint_url=ENDPOINT,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(retries={"total_max_attempts": retries + 1, "mode": "standard"}),
    )


ec2, ebs, sts, cloudwatch = (client(s) for s in ("ec2", "ebs", "sts", "cloudwatch"))


def refused(code, call, **kwargs):
    """The call is answered with this error."""
    try:
        call(**kwargs)
    except ClientError as e:
        assert e.response["Error"]["Code"] == code, e
        assert e.response["ResponseMetadata"]["RequestId"], e
        return e.response
    raise AssertionError(f"{call} should have been refused with {code}")


def admin(method, path, body=None):
    request = urllib.request.Request(f"{ENDPOINT}/_sandbox/{path}", method=method, data=body)
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.headers["x-novacron-sandbox"] == "true"
        return answer.read()


def counts():
    return json.loads(admin("GET", "state"))


def fault(**kwargs):
    admin("POST", "faults", json.dumps(kwargs).encode())


def wait_for(what, get, wanted, seconds=10):
    end = time.time() + seconds
    while (got := get()) != wanted:
        assert time.time() < end, f"{what} is {got}, not {wanted}"
        time.sleep(0.05)


def state_of(instance):
    found = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    return found["State"]["Name"]


def snapshot_done(*ids):
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=list(ids), WaiterConfig={"Delay": 0.1, "MaxAttempts": 100})


def discovery():
    found = ec2.describe_instances()
    assert found["ResponseMetadata"]["HTTPHeaders"]["x-novacron-sandbox"] == "true"
    (web,) = [i for r in found["Reservations"] for i in r["Instances"]]
    assert web["InstanceId"] == WEB and web["State"] == {"Code": 16, "Name": "running"}
    assert web["Tags"] == [{"Key": "Name", "Value": "web"}]
    assert [m["DeviceName"] for m in web["BlockDeviceMappings"]] == ["/dev/xvda", "/dev/sdf"]
    assert web["NetworkInterfaces"][0]["PrivateIpAddress"] == web["PrivateIpAddress"]
    assert isinstance(web["LaunchTime"], datetime.datetime)
    data = ec2.describe_instance_attribute(InstanceId=WEB, Attribute="userData")
    assert base64.b64decode(data["UserData"]["Value"]) == b"#cloud-config\n"

    west = client("ec2", "us-west-2")
    pages = list(west.get_paginator("describe_instances").paginate(PaginationConfig={"PageSize": 7}))
    ids = [i["InstanceId"] for p in pages for r in p["Reservations"] for i in r["Instances"]]
    assert len(pages) == 9 and len(ids) == len(set(ids)) == 60

    def named(**filters):
        wanted = [{"Name": k.replace("__", ":").replace("_", "-"), "Values": v} for k, v in filters.items()]
        found = west.describe_instances(Filters=wanted)["Reservations"]
        return sorted(t["Value"] for r in found for i in r["Instances"] for t in i["Tags"] if t["Key"] == "Name")

    assert named(tag__Name=["vm-0000?", "vm-00059"]) == [f"vm-{n:05}" for n in [*range(10), 59]]
    assert len(named(tag__Group=["g3"], instance_state_name=["running"])) == 6
    assert len(named(instance_type=["t3.*"])) == 30 and named(instance_state_name=["stopped"]) == []
    assert len(named(tag_key=["Group"], availability_zone=["us-west-2a"])) == 20
    refused("InvalidParameterValue", west.describe_instances, Filters=[{"Name": "no-such", "Values": ["x"]}])
    refused("InvalidInstanceID.NotFound", ec2.describe_instances, InstanceIds=["i-0123456789abcdef0"])
    refused("InvalidInstanceID.Malformed", ec2.describe_instances, InstanceIds=["i-xyz"])
    refused("InvalidParameterCombination", ec2.describe_instances, InstanceIds=[WEB], MaxResults=5)
    refused("InvalidNextToken", ec2.describe_instances, NextToken="x")

    assert "eu-west-1" in [r["RegionName"] for r in ec2.describe_regions()["Regions"]]
    zones = [z["ZoneName"] for z in ec2.describe_availability_zones()["AvailabilityZones"]]
    assert zones == ["us-east-1a", "us-east-1b", "us-east-1c"]
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
    assert sorted(s["AvailabilityZone"] for s in subnets) == zones
    assert ec2.describe_security_groups()["SecurityGroups"][0]["GroupName"] == "default"
    large = ec2.describe_instance_types(InstanceTypes=["m6g.large"])["InstanceTypes"][0]
    assert large["VCpuInfo"]["DefaultVCpus"] == 2 and large["MemoryInfo"]["SizeInMiB"] == 8192
    assert large["ProcessorInfo"]["SupportedArchitectures"] == ["arm64"]
    refused("InvalidInstanceType", ec2.describe_instance_types, InstanceTypes=["x9.huge"])


def base_image(arch="x86_64"):
    wanted = [{"Name": "architecture", "Values": [arch]}]
    return ec2.describe_images(Owners=["amazon"], Filters=wanted)["Images"][0]["ImageId"]


def lifecycle():
    before = counts()
    subnet = ec2.describe_subnets()["Subnets"][1]
    group = ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
    wanted = dict(
        ImageId=base_image(),
        InstanceType="t3.small",
        MinCount=2,
        MaxCount=2,
        ClientToken="first",
        SubnetId=subnet["SubnetId"],
        SecurityGroupIds=[group],
        KeyName="key",
        UserData="hello",
        EbsOptimized=True,
        IamInstanceProfile={"Name": "app"},
        BlockDeviceMappings=[
            {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 20, "VolumeType": "gp3", "Iops": 4000, "Encrypted": True}},
            {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 5, "VolumeType": "io2", "Iops": 500, "DeleteOnTermination": False}},
        ],
        TagSpecifications=[
            {"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "a<b&\"c\""}, {"Key": "empty", "Value": ""}]},
            {"ResourceType": "volume", "Tags": [{"Key": "of", "Value": "a"}]},
        ],
    )
    refused("DryRunOperation", ec2.run_instances, DryRun=True, **wanted)
    first = ec2.run_instances(**wanted)
    again = ec2.run_instances(**wanted)
    ids = [i["InstanceId"] for i in first["Instances"]]
    assert ids == [i["InstanceId"] for i in again["Instances"]] and len(ids) == 2
    assert first["ReservationId"] == again["ReservationId"]
    refused("IdempotentParameterMismatch", ec2.run_instances, **{**wanted, "InstanceType": "t3.large"})
    one = first["Instances"][0]
    assert one["State"]["Name"] == "pending" and one["SubnetId"] == subnet["SubnetId"] and one["EbsOptimized"]
    assert {t["Key"]: t["Value"] for t in one["Tags"]} == {"Name": "a<b&\"c\"", "empty": ""}
    assert one["IamInstanceProfile"]["Arn"].endswith(":instance-profile/app")
    assert one["Placement"]["AvailabilityZone"] == subnet["AvailabilityZone"]
    ec2.get_waiter("instance_running").wait(InstanceIds=ids, WaiterConfig={"Delay": 0.1, "MaxAttempts": 100})
    empty = ec2.describe_instances(Filters=[{"Name": "tag:empty", "Values": [""]}])
    assert len(empty["Reservations"]) == 1 and len(empty["Reservations"][0]["Instances"]) == 2

    volumes = ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [ids[0]]}])["Volumes"]
    by_device = {v["Attachments"][0]["Device"]: v for v in volumes}
    root, data = by_device["/dev/xvda"], by_device["/dev/sdf"]
    assert (root["Size"], root["VolumeType"], root["Iops"], root["Encrypted"]) == (20, "gp3", 4000, True)
    assert (data["Size"], data["VolumeType"], data["Iops"], data["Encrypted"]) == (5, "io2", 500, False)
    assert root["Attachments"][0]["DeleteOnTermination"] and not data["Attachments"][0]["DeleteOnTermination"]
    assert root["Tags"] == [{"Key": "of", "Value": "a"}]

    stopping = ec2.stop_instances(InstanceIds=ids)["StoppingInstances"]
    assert {(s["PreviousState"]["Name"], s["CurrentState"]["Name"]) for s in stopping} == {("running", "stopping")}
    refused("IncorrectInstanceState", ec2.start_instances, InstanceIds=ids)
    wait_for("the instance", lambda: state_of(ids[0]), "stopped")
    ec2.modify_instance_attribute(InstanceId=ids[0], InstanceType={"Value": "t3.large"})
    assert ec2.start_instances(InstanceIds=ids)["StartingInstances"][0]["CurrentState"]["Name"] == "pending"
    wait_for("the instance", lambda: state_of(ids[0]), "running")
    started = ec2.describe_instances(InstanceIds=[ids[0]])["Reservations"][0]["Instances"][0]
    assert started["InstanceType"] == "t3.large"

    ec2.create_tags(Resources=[ids[0], root["VolumeId"]], Tags=[{"Key": "Team", "Value": "x"}])
    tagged = ec2.describe_tags(Filters=[{"Name": "key", "Values": ["Team"]}])["Tags"]
    assert {t["ResourceType"] for t in tagged} == {"instance", "volume"}
    ec2.delete_tags(Resources=[ids[0]], Tags=[{"Key": "Team", "Value": "other"}])
    ec2.delete_tags(Resources=[root["VolumeId"]], Tags=[{"Key": "Team"}])
    tagged = ec2.describe_tags(Filters=[{"Name": "key", "Values": ["Team"]}])["Tags"]
    assert [t["ResourceId"] for t in tagged] == [ids[0]]
    refused("InvalidParameterValue", ec2.create_tags, Resources=ids, Tags=[{"Key": "aws:x", "Value": "y"}])

    ended = ec2.terminate_instances(InstanceIds=ids)["TerminatingInstances"]
    assert ended[0]["CurrentState"]["Name"] == "shutting-down"
    wait_for("the instance", lambda: state_of(ids[1]), "terminated")
    refused("InvalidVolume.NotFound", ec2.describe_volumes, VolumeIds=[root["VolumeId"]])
    left = ec2.describe_volumes(Filters=[{"Name": "size", "Values": ["5"]}])["Volumes"]
    assert [v["State"] for v in left] == ["available"] * 2
    for v in left:
        ec2.delete_volume(VolumeId=v["VolumeId"])
    after = counts()
    assert after["instances"] == before["instances"] and after["volumes"] == before["volumes"], (before, after)

    bad = dict(ImageId=base_image(), MinCount=1, MaxCount=1, InstanceType="t3.micro")
    refused("InvalidAMIID.NotFound", ec2.run_instances, **{**bad, "ImageId": "ami-0123456789abcdef0"})
    refused("InvalidParameterValue", ec2.run_instances, **{**bad, "InstanceType": "m6g.large"})
    refused("InvalidSubnetID.NotFound", ec2.run_instances, SubnetId="subnet-0123456789abcdef0", **bad)
    small = [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeType": "gp2", "Iops": 300}}]
    refused("InvalidParameterCombination", ec2.run_instances, BlockDeviceMappings=small, **bad)
    assert counts() == after


def spot():
    market = {"MarketType": "spot", "SpotOptions": {"MaxPrice": "0.0123", "SpotInstanceType": "one-time"}}
    wanted = dict(ImageId=base_image("arm64"), InstanceType="m6g.large", MinCount=1, MaxCount=1)
    bad = {"MarketType": "spot", "SpotOptions": {"MaxPrice": "-1"}}
    refused("InvalidParameterValue", ec2.run_instances, InstanceMarketOptions=bad, **wanted)
    one = ec2.run_instances(InstanceMarketOptions=market, **wanted)["Instances"][0]
    assert one["InstanceLifecycle"] == "spot" and one["Architecture"] == "arm64"
    request = ec2.describe_spot_instance_requests(SpotInstanceRequestIds=[one["SpotInstanceRequestId"]])
    (request,) = request["SpotInstanceRequests"]
    assert request["SpotPrice"] == "0.0123" and request["InstanceId"] == one["InstanceId"]
    refused("UnsupportedOperation", ec2.stop_instances, InstanceIds=[one["InstanceId"]])
    ec2.terminate_instances(InstanceIds=[one["InstanceId"]])


def blocks_of(snapshot):
    tokens, kwargs = {}, {}
    while True:
        page = ebs.list_snapshot_blocks(SnapshotId=snapshot, MaxResults=100, **kwargs)
        assert page["BlockSize"] == BLOCK
        tokens.update({b["BlockIndex"]: b["BlockToken"] for b in page["Blocks"]})
        if "NextToken" not in page:
            return tokens
        kwargs = {"NextToken": page["NextToken"]}


def block(snapshot, index, token):
    got = ebs.get_snapshot_block(SnapshotId=snapshot, BlockIndex=index, BlockToken=token)
    data = got["BlockData"].read()
    assert got["DataLength"] == len(data) == BLOCK
    assert got["Checksum"] == checksum(data) and got["ChecksumAlgorithm"] == "SHA256"
    return data


def checksum(data):
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def put(snapshot, index, data, **kwargs):
    given = dict(DataLength=BLOCK, Checksum=checksum(data), ChecksumAlgorithm="SHA256")
    return ebs.put_snapshot_block(SnapshotId=snapshot, BlockIndex=index, BlockData=data, **{**given, **kwargs})


def disks():
    with open(IMAGE, "rb") as f:
        image = f.read()
    taken = ec2.create_snapshots(
        InstanceSpecification={"InstanceId": WEB},
        Description="before",
        CopyTagsFromSource="volume",
        TagSpecifications=[{"ResourceType": "snapshot", "Tags": [{"Key": "run", "Value": "1"}]}],
    )["Snapshots"]
    assert len(taken) == 2 and {s["State"] for s in taken} == {"pending"}
    first = taken[0]["SnapshotId"]
    refused("ValidationException", ebs.list_snapshot_blocks, SnapshotId=first)
    snapshot_done(*[s["SnapshotId"] for s in taken])
    found = ec2.describe_snapshots(OwnerIds=["self"], Filters=[{"Name": "tag:run", "Values": ["1"]}])["Snapshots"]
    assert {s["Progress"] for s in found} == {"100%"} and len(found) == 2
    tokens = blocks_of(first)
    assert sorted(tokens) == list(range(6))
    assert b"".join(block(first, i, tokens[i]) for i in range(6)) == image
    assert blocks_of(taken[1]["SnapshotId"]) == {}
    refused("ValidationException", ebs.get_snapshot_block, SnapshotId=first, BlockIndex=0, BlockToken=tokens[1])
    missing = refused("ResourceNotFoundException", ebs.list_snapshot_blocks, SnapshotId="snap-0123456789abcdef0")
    assert missing["Reason"] == "SNAPSHOT_NOT_FOUND"
    refused("ValidationException", ebs.list_snapshot_blocks, SnapshotId=first, NextToken="AAAA")

    # The disk changes while it runs: one byte, a new block, and one that becomes zeros.
    volume = taken[0]["VolumeId"]
    admin("PUT", f"volumes/{volume}/write?offset={BLOCK + 10}", b"changed")
    admin("PUT", f"volumes/{volume}/write?offset={100 * BLOCK - 3}", b"across")
    admin("PUT", f"volumes/{volume}/write?offset={4 * BLOCK}", bytes(BLOCK))
    second = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    snapshot_done(second)
    changed = ebs.list_changed_blocks(FirstSnapshotId=first, SecondSnapshotId=second)["ChangedBlocks"]
    assert [c["BlockIndex"] for c in changed] == [1, 4, 99, 100]
    assert ["FirstBlockToken" in c for c in changed] == [True, True, False, False]
    assert ["SecondBlockToken" in c for c in changed] == [True, False, True, True]
    assert block(second, 1, changed[0]["SecondBlockToken"])[10:17] == b"changed"
    assert block(first, 1, changed[0]["FirstBlockToken"]) == image[BLOCK : 2 * BLOCK]
    other = taken[1]["SnapshotId"]
    answer = refused("ValidationException", ebs.list_changed_blocks, FirstSnapshotId=other, SecondSnapshotId=second)
    assert answer["Reason"] == "UNRELATED_SNAPSHOTS"
    whole = admin("GET", f"volumes/{volume}/data?length={101 * BLOCK}")
    assert whole[100 * BLOCK - 3 : 100 * BLOCK + 3] == b"across" and whole[: BLOCK] == image[:BLOCK]

    written(first, second)
    refused("InvalidSnapshotID.Malformed", ec2.delete_snapshot, SnapshotId="snap-1")
    for s in (first, other, second):
        ec2.delete_snapshot(SnapshotId=s)
    refused("InvalidSnapshot.NotFound", ec2.delete_snapshot, SnapshotId=first)


def written(first, second):
    """A snapshot that is written, with a parent, and what it takes to a machine."""
    wanted = dict(VolumeSize=1, Tags=[{"Key": "run", "Value": "2"}], Description="written", Timeout=10)
    started = ebs.start_snapshot(ClientToken="one", **wanted)
    base = started["SnapshotId"]
    assert started["Status"] == "pending" and started["BlockSize"] == BLOCK and started["VolumeSize"] == 1
    assert ebs.start_snapshot(ClientToken="one", **wanted)["SnapshotId"] == base
    refused("ConflictException", ebs.start_snapshot, ClientToken="one", **{**wanted, "VolumeSize": 2})
    data = [os.urandom(BLOCK) for _ in range(3)]
    for i, d in enumerate(data):
        assert put(base, i * 10, d)["Checksum"] == checksum(d)
    refused("ValidationException", put, snapshot=base, index=1, data=data[0], Checksum=checksum(b""))
    refused("ValidationException", put, snapshot=base, index=2048, data=data[0])
    refused("ValidationException", put, snapshot=base, index=1, data=data[0], DataLength=512)
    refused("ValidationException", put, snapshot=first, index=0, data=data[0])
    refused("ValidationException", ebs.complete_snapshot, SnapshotId=base, ChangedBlocksCount=2)
    linear = base64.b64encode(hashlib.sha256(b"".join(hashlib.sha256(d).digest() for d in data)).digest()).decode()
    sealed = dict(SnapshotId=base, ChangedBlocksCount=3, ChecksumAlgorithm="SHA256", ChecksumAggregationMethod="LINEAR")
    refused("ValidationException", ebs.complete_snapshot, Checksum=checksum(b"x"), **sealed)
    assert ebs.complete_snapshot(Checksum=linear, **sealed)["Status"] in ("pending", "completed")
    snapshot_done(base)

    child = ebs.start_snapshot(VolumeSize=1, ParentSnapshotId=base)["SnapshotId"]
    fresh = os.urandom(BLOCK)
    put(child, 10, fresh)
    put(child, 20, bytes(BLOCK))
    ebs.complete_snapshot(SnapshotId=child, ChangedBlocksCount=2)
    snapshot_done(child)
    tokens = blocks_of(child)
    assert sorted(tokens) == [0, 10] and block(child, 0, tokens[0]) == data[0] and block(child, 10, tokens[10]) == fresh
    changed = ebs.list_changed_blocks(FirstSnapshotId=base, SecondSnapshotId=child)["ChangedBlocks"]
    assert [c["BlockIndex"] for c in changed] == [10, 20]

    image = dict(
        Name="made here",
        Architecture="x86_64",
        VirtualizationType="hvm",
        EnaSupport=True,
        RootDeviceName="/dev/xvda",
        BootMode="uefi",
        BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": child, "VolumeType": "gp3"}}],
    )
    ami = ec2.register_image(**image)["ImageId"]
    refused("InvalidAMIName.Duplicate", ec2.register_image, **image)
    refused("InvalidSnapshot.InUse", ec2.delete_snapshot, SnapshotId=child)
    ec2.get_waiter("image_available").wait(ImageIds=[ami], WaiterConfig={"Delay": 0.1, "MaxAttempts": 100})
    told = ec2.describe_images(ImageIds=[ami])["Images"][0]
    assert told["State"] == "available" and told["BootMode"] == "uefi" and told["EnaSupport"]
    assert told["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"] == child
    run = ec2.run_instances(ImageId=ami, MinCount=1, MaxCount=1, InstanceType="t3.micro")["Instances"][0]
    volume = run["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    assert admin("GET", f"volumes/{volume}/data?offset={10 * BLOCK}&length={BLOCK}") == fresh

    west = client("ec2", "eu-west-1")
    copy = dict(SourceRegion="us-east-1", SourceImageId=ami, Name="copy", ClientToken="c")
    copied = west.copy_image(**copy)["ImageId"]
    assert west.copy_image(**copy)["ImageId"] == copied
    west.get_waiter("image_available").wait(ImageIds=[copied], WaiterConfig={"Delay": 0.1, "MaxAttempts": 100})
    theirs = west.describe_images(ImageIds=[copied])["Images"][0]["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    there = client("ebs", "eu-west-1")
    listed = there.list_snapshot_blocks(SnapshotId=theirs)["Blocks"]
    assert [b["BlockIndex"] for b in listed] == [0, 10]
    refused("ResourceNotFoundException", ebs.list_snapshot_blocks, SnapshotId=theirs)

    wait_for("the instance", lambda: state_of(run["InstanceId"]), "running")
    again = ec2.create_image(InstanceId=run["InstanceId"], Name="again", NoReboot=True)["ImageId"]
    wait_for("the image", lambda: ec2.describe_images(ImageIds=[again])["Images"][0]["State"], "available")
    attached(run, child)
    ec2.terminate_instances(InstanceIds=[run["InstanceId"]])
    ec2.deregister_image(ImageId=ami)
    ec2.delete_snapshot(SnapshotId=child)
    ec2.delete_snapshot(SnapshotId=base)
    ec2.deregister_image(ImageId=again, DeleteAssociatedSnapshots=True)
    west.deregister_image(ImageId=copied)
    west.delete_snapshot(SnapshotId=theirs)


def attached(run, snapshot):
    zone = run["Placement"]["AvailabilityZone"]
    volume = ec2.create_volume(SnapshotId=snapshot, AvailabilityZone=zone, VolumeType="gp3", ClientToken="v")["VolumeId"]
    again = ec2.create_volume(SnapshotId=snapshot, AvailabilityZone=zone, VolumeType="gp3", ClientToken="v")["VolumeId"]
    assert volume == again
    ec2.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig={"Delay": 0.1, "MaxAttempts": 100})
    ec2.attach_volume(VolumeId=volume, InstanceId=run["InstanceId"], Device="/dev/sdg")
    refused("VolumeInUse", ec2.delete_volume, VolumeId=volume)
    assert ec2.detach_volume(VolumeId=volume)["State"] == "detaching"
    wait_for("the volume", lambda: ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["State"], "available")
    ec2.delete_volume(VolumeId=volume)


def identities():
    me = sts.get_caller_identity()
    assert me["Account"] == "000000000000"
    role = f"arn:aws:iam::{me['Account']}:role/mover"
    session = sts.assume_role(RoleArn=role, RoleSessionName="test", DurationSeconds=900)["Credentials"]
    given = dict(key=session["AccessKeyId"], secret=session["SecretAccessKey"])
    there = client("sts", token=session["SessionToken"], **given)
    assert there.get_caller_identity()["Arn"].endswith(":assumed-role/mover/test")
    client("ec2", token=session["SessionToken"], **given).describe_regions()
    refused("AuthFailure", client("ec2", **given).describe_regions)
    refused("AuthFailure", client("ec2", token="wrong", **given).describe_regions)
    refused("AccessDenied", sts.assume_role, RoleArn="arn:aws:iam::123456789012:role/x", RoleSessionName="test")

    refused("SignatureDoesNotMatch", client("ec2", secret="wrong").describe_regions)
    refused("SignatureDoesNotMatch", client("sts", secret="wrong").get_caller_identity)
    snapshot = "snap-0123456789abcdef0"
    refused("InvalidSignatureException", client("ebs", secret="wrong").list_snapshot_blocks, SnapshotId=snapshot)
    refused("AuthFailure", client("ec2", key="AKIANOBODY").describe_regions)
    refused("InvalidClientTokenId", client("sts", key="AKIANOBODY").get_caller_identity)
    refused("InvalidClientTokenId", client("cloudwatch", key="AKIANOBODY").list_metrics)

    reader = dict(key=os.environ["SANDBOX_READER_KEY"], secret=os.environ["SANDBOX_READER_SECRET"])
    assert client("ec2", **reader).describe_instances()["Reservations"]
    refused("UnauthorizedOperation", client("ec2", **reader).terminate_instances, InstanceIds=[WEB])
    refused("UnauthorizedOperation", client("ec2", **reader).stop_instances, InstanceIds=[WEB], DryRun=True)
    refused("AccessDeniedException", client("ebs", **reader).start_snapshot, VolumeSize=1)


def faults():
    fault(action="DescribeRegions", count=2, effect={"error": {"code": "RequestLimitExceeded", "status": 503}})
    refused("RequestLimitExceeded", ec2.describe_regions)
    client("ec2", retries=3).describe_regions()
    admin("DELETE", "faults")
    # The answer is lost after the instances were made: the token finds them again.
    fault(action="RunInstances", count=1, effect={"drop": {"applied": True}})
    before = counts()["instances"]
    wanted = dict(ImageId=base_image(), InstanceType="t3.nano", MinCount=1, MaxCount=1)
    one = client("ec2", retries=3).run_instances(ClientToken="lost", **wanted)["Instances"][0]
    assert counts()["instances"] == before + 1
    ec2.terminate_instances(InstanceIds=[one["InstanceId"]])
    assert json.loads(admin("GET", "faults"))[0]["happened"] == 1
    admin("DELETE", "faults")


def metrics():
    assert cloudwatch.list_metrics()["Metrics"] == []
    now = datetime.datetime.now(datetime.timezone.utc).replace(second=0, microsecond=0)
    minute = datetime.timedelta(minutes=1)
    dimensions = [{"Name": "InstanceId", "Value": WEB}]
    data = [
        {"MetricName": "CPUUtilization", "Dimensions": dimensions, "Timestamp": now - n * minute, "Value": n * 10.0, "Unit": "Percent"}
        for n in range(1, 6)
    ]
    cloudwatch.put_metric_data(Namespace="AWS/EC2", MetricData=data)
    many = [{"MetricName": f"m{n}", "Value": float(n)} for n in range(600)]
    cloudwatch.put_metric_data(Namespace="App", MetricData=many)
    listed = [m for p in cloudwatch.get_paginator("list_metrics").paginate() for m in p["Metrics"]]
    assert len(listed) == 601
    only = cloudwatch.list_metrics(Dimensions=[{"Name": "InstanceId"}])["Metrics"]
    assert only == [{"Namespace": "AWS/EC2", "MetricName": "CPUUtilization", "Dimensions": dimensions}]
    span = dict(StartTime=now - 10 * minute, EndTime=now + minute)
    told = cloudwatch.get_metric_statistics(
        Namespace="AWS/EC2", MetricName="CPUUtilization", Dimensions=dimensions, Period=60, Statistics=["Average", "Maximum"], **span
    )
    points = sorted(told["Datapoints"], key=lambda p: p["Timestamp"])
    assert [p["Average"] for p in points] == [50.0, 40.0, 30.0, 20.0, 10.0] and points[0]["Timestamp"] == now - 5 * minute
    metric = {"Namespace": "AWS/EC2", "MetricName": "CPUUtilization", "Dimensions": dimensions}
    query = {"Id": "cpu", "MetricStat": {"Metric": metric, "Period": 3600 * 24, "Stat": "Sum"}}
    result = cloudwatch.get_metric_data(MetricDataQueries=[query], **span)["MetricDataResults"][0]
    assert result["Id"] == "cpu" and sum(result["Values"]) == 150.0 and result["StatusCode"] == "Complete"
    refused("InvalidParameterCombination", cloudwatch.get_metric_data, MetricDataQueries=[query], StartTime=now, EndTime=now)


for part in (discovery, lifecycle, spot, disks, identities, faults, metrics):
    began = time.time()
    part()
    print(f"{part.__name__}: ok ({time.time() - began:.1f} s)")
print(f"left: {counts()}")
