//! AWS over moto, with and without its authentication.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use aws_sdk_ec2::types::{
    BlockDeviceMapping, EbsBlockDevice, Filter, InstanceType, ResourceType, Tag, TagSpecification,
};
use novacron_provider::Provider;
use novacron_provider_suite::{Deviation, Harness, Trouble};
use novacron_types::{DiskId, ImageId, InstanceId};

use super::{Account, REGION};

pub struct MotoHarness {
    _server: Server,
    account: Account,
    provider: Arc<dyn Provider>,
    image: String,
    deviations: Vec<Deviation>,
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Makes a user who may do everything, and an image; then switches authentication on where that is wanted.
const SET_UP: &str = r#"
import json, sys, urllib.request, boto3
url = sys.argv[1]
def client(service):
    return boto3.client(service, endpoint_url=url, region_name="us-east-1",
                        aws_access_key_id="setup", aws_secret_access_key="setup")
image = client("ec2").register_image(Name="base", Architecture="x86_64")["ImageId"]
iam = client("iam")
iam.create_user(UserName="suite")
iam.put_user_policy(UserName="suite", PolicyName="all", PolicyDocument=json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}))
key = iam.create_access_key(UserName="suite")["AccessKey"]
if sys.argv[2] == "authenticate":
    request = urllib.request.Request(url + "/moto-api/reset-auth", data=b"0", headers={"Content-Type": "text/plain"})
    urllib.request.urlopen(request).read()
print(key["AccessKeyId"], key["SecretAccessKey"], image)
"#;

impl MotoHarness {
    /// Nothing where moto is not installed, and then it is said why.
    pub async fn new(authenticate: bool) -> Option<Self> {
        let server = std::env::var_os("NOVACRON_MOTO").map(PathBuf::from).or_else(|| {
            let home = std::env::var_os("HOME")?;
            Some(PathBuf::from(home).join(".cache/novacron/venv/bin/moto_server"))
        })?;
        let python = server.with_file_name("python");
        if !server.exists() || !python.exists() {
            println!(
                "skipped: no moto at {}; `pip install 'moto[server,all]' boto3` in a virtual environment, and set \
                 NOVACRON_MOTO to its bin/moto_server",
                server.display()
            );
            return None;
        }
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let endpoint = format!("http://127.0.0.1:{port}");
        let child = Command::new(server)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .env("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Server(child);
        for _ in 0..600 {
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let output = Command::new(python)
            .args(["-c", SET_UP, &endpoint, if authenticate { "authenticate" } else { "trust" }])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let [key, secret, image] = text.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("moto could not be set up: {}", String::from_utf8_lossy(&output.stderr));
        };
        let account = Account { endpoint, key: key.to_owned(), secret: secret.to_owned() };
        let provider = account.provider().await;
        let mut deviations = DEVIATIONS.to_vec();
        if authenticate {
            deviations.extend(SIGNATURES);
        }
        Some(Self { _server: server, provider, image: image.to_owned(), account, deviations })
    }

    pub fn account(&self) -> &Account {
        &self.account
    }
}

const NO_DATA: &str = "moto's volumes hold no data, so that a snapshot of one can't be read (500)";
const PROTOCOL: &str = "moto does not speak the protocol that the SDK for Rust uses for CloudWatch (404)";
const GONE: &str = "moto answers 500 where a snapshot of EBS direct is not there";
const DEVIATIONS: [Deviation; 11] = [
    Deviation { check: "a_snapshot_holds_the_bytes", why: NO_DATA },
    Deviation { check: "a_snapshot_is_read_anywhere", why: NO_DATA },
    Deviation { check: "a_snapshot_does_not_change", why: NO_DATA },
    Deviation { check: "changed_blocks_cover_the_changes", why: NO_DATA },
    Deviation { check: "a_deleted_base_is_a_conflict", why: GONE },
    Deviation { check: "written_disks_become_a_machine", why: NO_DATA },
    Deviation { check: "what_is_written_twice_holds_the_last", why: NO_DATA },
    Deviation { check: "an_empty_disk_reads_zero", why: NO_DATA },
    Deviation { check: "a_disk_begins_as_its_base", why: NO_DATA },
    Deviation { check: "a_machine_of_an_image_has_its_bytes", why: NO_DATA },
    Deviation { check: "metrics_of_nothing_are_empty", why: PROTOCOL },
];
const SIGNATURES: [Deviation; 1] = [Deviation {
    check: "completing_and_deleting_are_repeatable",
    why: "moto computes other signatures than its clients, boto3 too, for requests of EBS direct without a body (403)",
}];

#[async_trait]
impl Harness for MotoHarness {
    fn provider(&self) -> Arc<dyn Provider> {
        self.provider.clone()
    }

    async fn again(&self) -> Option<Arc<dyn Provider>> {
        Some(self.account.again().await)
    }

    async fn seed(&self, name: &str, disks: &[&[u8]]) -> Result<InstanceId, Trouble> {
        let devices = ["/dev/sda1", "/dev/sdf", "/dev/sdg"];
        let mappings = disks.iter().zip(devices).map(|(_, device)| {
            let ebs = EbsBlockDevice::builder().volume_size(1).delete_on_termination(true).build();
            BlockDeviceMapping::builder().device_name(device).ebs(ebs).build()
        });
        let tag = Tag::builder().key("Name").value(name).build();
        let tags = TagSpecification::builder().resource_type(ResourceType::Instance).tags(tag).build();
        let answer = self
            .account
            .ec2(REGION)
            .run_instances()
            .image_id(&self.image)
            .instance_type(InstanceType::T3Micro)
            .min_count(1)
            .max_count(1)
            .set_block_device_mappings(Some(mappings.collect()))
            .tag_specifications(tags)
            .send()
            .await
            .map_err(|error| format!("{error:?}"))?;
        let id = answer.instances().first().and_then(|machine| machine.instance_id()).unwrap_or_default();
        Ok(InstanceId::new(id).map_err(|error| error.to_string())?)
    }

    async fn write(&self, _: &DiskId, _: u64, _: &[u8]) -> Result<(), Trouble> {
        Err(NO_DATA.into())
    }

    async fn leftovers(&self) -> Result<BTreeMap<String, u64>, Trouble> {
        let ec2 = self.account.ec2(REGION);
        let trouble = |error: String| Trouble(error);
        let live = Filter::builder().name("instance-state-name").values("running").values("stopped").values("pending");
        let machines = ec2.describe_instances().filters(live.build()).send().await;
        let machines = machines.map_err(|error| trouble(format!("{error:?}")))?;
        let volumes = ec2.describe_volumes().send().await.map_err(|error| trouble(format!("{error:?}")))?;
        let snapshots =
            ec2.describe_snapshots().owner_ids("self").send().await.map_err(|error| trouble(format!("{error:?}")))?;
        let images =
            ec2.describe_images().owners("self").send().await.map_err(|error| trouble(format!("{error:?}")))?;
        // StartSnapshot of moto makes a volume behind the snapshot's back, which carries nothing.
        let ours = |tag: &Tag| tag.key() == Some("novacron:operation");
        let volumes = volumes
            .volumes()
            .iter()
            .filter(|volume| !volume.attachments().is_empty() || volume.tags().iter().any(ours));
        let volumes = volumes.count();
        let machines = machines.reservations().iter().map(|reservation| reservation.instances().len()).sum::<usize>();
        let entry = |name: &str, count: usize| (name.to_owned(), count as u64);
        Ok(BTreeMap::from([
            entry("instances", machines),
            entry("volumes", volumes),
            entry("snapshots", snapshots.snapshots().len()),
            entry("images", images.images().len()),
        ]))
    }

    fn image(&self) -> Option<String> {
        Some(self.image.clone())
    }

    fn absent(&self) -> (InstanceId, ImageId) {
        (InstanceId::new("i-0123456789abcdef0").unwrap(), ImageId::new("ami-0123456789abcdef0").unwrap())
    }

    fn instance_type(&self) -> Option<String> {
        Some("t3.micro".to_owned())
    }

    fn deviations(&self) -> &[Deviation] {
        &self.deviations
    }
}
