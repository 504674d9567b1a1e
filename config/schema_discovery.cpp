// The keys of service discovery. What Pipit does not discover yet is checked all the same: a mistake shows before the
// refusal.
// Source of keys: Prometheus, discovery/*.

#include "config/discovery_rules.h"
#include "config/schema.h"

namespace pipit {
namespace {

using enum FieldType;

constexpr const Section* kWithHttpClient[] = {&kHttpClientSection};
constexpr std::string_view kNotDiscovered = "is not supported yet: its targets could not be scraped";

constexpr Field kFilterFields[] = {{"name"}, {"values", string_list}};
constexpr Section kFilterSection{"filters", kFilterFields};
constexpr Section kAwsFilterSection{"filters", kFilterFields, {}, check_filter};

constexpr Field kAzureFields[] = {
    {"environment"},   {"authentication_method"}, {"subscription_id"}, {"tenant_id"},
    {"client_id"},     {"client_secret", secret}, {"resource_group"},  {"refresh_interval", duration},
    {"port", integer},
};
constexpr Section kAzure{"azure_sd_configs", kAzureFields, kWithHttpClient, check_azure};

constexpr Field kConsulFields[] = {
    {"server"},
    {"path_prefix"},
    {"token", secret},
    {"datacenter"},
    {"namespace"},
    {"partition"},
    {"tag_separator"},
    {"scheme"},
    {"username"},
    {"password", secret},
    {"allow_stale", boolean},
    {"refresh_interval", duration},
    {"services", string_list},
    {"tags", string_list},
    {"node_meta", string_map},
    {"filter"},
    {"health_filter"},
};
constexpr Section kConsul{"consul_sd_configs", kConsulFields, kWithHttpClient, check_consul};

constexpr Field kPortAndInterval[] = {{"port", integer}, {"refresh_interval", duration}};
constexpr Section kDigitalOcean{"digitalocean_sd_configs", kPortAndInterval, kWithHttpClient};

constexpr Field kDockerFields[] = {
    {"host"},
    {"port", integer},
    {"filters", section_list, &kFilterSection},
    {"host_networking_host"},
    {"match_first_network", boolean},
    {"refresh_interval", duration},
};
constexpr Section kDocker{"docker_sd_configs", kDockerFields, kWithHttpClient, check_docker};

constexpr Field kDockerSwarmFields[] = {
    {"host"},
    {"role", string, nullptr, "services|tasks|nodes"},
    {"port", integer},
    {"filters", section_list, &kFilterSection},
    {"refresh_interval", duration},
};
constexpr Section kDockerSwarm{"dockerswarm_sd_configs", kDockerSwarmFields, kWithHttpClient, check_dockerswarm};

constexpr Field kDnsFields[] = {
    {"names", string_list},
    {"type"},
    {"port", integer},
    {"refresh_interval", duration},
};
constexpr Section kDns{"dns_sd_configs", kDnsFields, {}, check_dns_sd};

constexpr Field kEc2Fields[] = {
    {"region"},        {"endpoint"},
    {"access_key"},    {"secret_key", secret},
    {"profile"},       {"role_arn"},
    {"external_id"},   {"refresh_interval", duration},
    {"port", integer}, {"filters", section_list, &kAwsFilterSection},
};
constexpr Section kEc2{"ec2_sd_configs", kEc2Fields, kWithHttpClient};

constexpr Field kLightsailFields[] = {
    {"region"},        {"endpoint"}, {"access_key"},  {"secret_key", secret},
    {"profile"},       {"role_arn"}, {"external_id"}, {"refresh_interval", duration},
    {"port", integer},
};
constexpr Section kLightsail{"lightsail_sd_configs", kLightsailFields, kWithHttpClient};

constexpr Field kAwsFields[] = {
    {"role", string, nullptr, "ec2|ecs|lightsail|msk|elasticache|rds"},
    {"region"},
    {"endpoint"},
    {"access_key"},
    {"secret_key", secret},
    {"profile"},
    {"role_arn"},
    {"external_id"},
    {"refresh_interval", duration},
    {"port", integer},
    {"filters", section_list, &kAwsFilterSection},
    {"clusters", string_list},
    {"request_concurrency", integer},
};
constexpr Section kAws{"aws_sd_configs", kAwsFields, kWithHttpClient};

constexpr Field kEurekaFields[] = {{"server"}, {"refresh_interval", duration}};
constexpr Section kEureka{"eureka_sd_configs", kEurekaFields, kWithHttpClient, check_eureka};

constexpr Field kFileFields[] = {{"files", string_list}, {"refresh_interval", duration}};
constexpr Section kFile{"file_sd_configs", kFileFields, {}, check_file_sd};

constexpr Field kGceFields[] = {
    {"project"}, {"zone"}, {"filter"}, {"refresh_interval", duration}, {"port", integer}, {"tag_separator"},
};
constexpr Section kGce{"gce_sd_configs", kGceFields, {}, check_gce};

constexpr Field kHetznerFields[] = {
    {"role", string, nullptr, "robot|hcloud"},
    {"port", integer},
    {"refresh_interval", duration},
    {"label_selector"},
};
constexpr Section kHetzner{"hetzner_sd_configs", kHetznerFields, kWithHttpClient, check_hetzner};

constexpr Field kHttpFields[] = {{"url", url}, {"refresh_interval", duration}};
constexpr Section kHttp{"http_sd_configs", kHttpFields, kWithHttpClient, check_http_sd};

constexpr Field kIonosFields[] = {{"datacenter_id"}, {"port", integer}, {"refresh_interval", duration}};
constexpr Section kIonos{"ionos_sd_configs", kIonosFields, kWithHttpClient, check_ionos};

constexpr Field kNamespaceFields[] = {{"own_namespace", boolean}, {"names", string_list}};
constexpr Section kNamespaces{"namespaces", kNamespaceFields};
constexpr std::string_view kKubernetesRoles = "node|pod|service|endpoints|endpointslice|ingress";
constexpr Field kSelectorFields[] = {{"role", string, nullptr, kKubernetesRoles}, {"label"}, {"field"}};
constexpr Section kSelectors{"selectors", kSelectorFields};
constexpr Field kAttachFields[] = {{"node", boolean}, {"namespace", boolean}};
constexpr Section kAttach{"attach_metadata", kAttachFields};
constexpr Field kKubernetesFields[] = {
    {"api_server", url},
    {"role", string, nullptr, kKubernetesRoles},
    {"kubeconfig_file"},
    {"namespaces", section, &kNamespaces},
    {"selectors", section_list, &kSelectors},
    {"attach_metadata", section, &kAttach},
};
constexpr Section kKubernetes{"kubernetes_sd_configs", kKubernetesFields, kWithHttpClient, check_kubernetes};

constexpr Field kKumaFields[] = {
    {"server", url},
    {"client_id"},
    {"refresh_interval", duration},
    {"fetch_timeout", duration},
};
constexpr Section kKuma{"kuma_sd_configs", kKumaFields, kWithHttpClient, check_kuma};

constexpr Field kLinodeFields[] = {
    {"region"},
    {"port", integer},
    {"tag_separator"},
    {"refresh_interval", duration},
};
constexpr Section kLinode{"linode_sd_configs", kLinodeFields, kWithHttpClient};

constexpr Field kMarathonFields[] = {
    {"servers", string_list},
    {"refresh_interval", duration},
    {"auth_token", secret},
    {"auth_token_file"},
};
constexpr Section kMarathon{"marathon_sd_configs", kMarathonFields, kWithHttpClient, check_marathon};

constexpr Field kZookeeperFields[] = {{"servers", string_list}, {"paths", string_list}, {"timeout", duration}};
constexpr Section kNerve{"nerve_sd_configs", kZookeeperFields, {}, check_zookeeper};
constexpr Section kServerset{"serverset_sd_configs", kZookeeperFields, {}, check_zookeeper};

constexpr Field kNomadFields[] = {
    {"server"}, {"allow_stale", boolean}, {"namespace"}, {"region"}, {"tag_separator"}, {"refresh_interval", duration},
};
constexpr Section kNomad{"nomad_sd_configs", kNomadFields, kWithHttpClient};

constexpr Field kOciFields[] = {
    {"region"},
    {"tenancy"},
    {"user"},
    {"fingerprint"},
    {"key_file"},
    {"key_passphrase", secret},
    {"compartments", string_list},
    {"authentication_method"},
    {"port", integer},
    {"refresh_interval", duration},
};
constexpr Section kOci{"oci_sd_configs", kOciFields, kWithHttpClient};

constexpr Field kOpenstackFields[] = {
    {"role"},
    {"region"},
    {"identity_endpoint"},
    {"username"},
    {"userid"},
    {"password", secret},
    {"project_name"},
    {"project_id"},
    {"domain_name"},
    {"domain_id"},
    {"application_credential_name"},
    {"application_credential_id"},
    {"application_credential_secret", secret},
    {"all_tenants", boolean},
    {"refresh_interval", duration},
    {"port", integer},
    {"availability"},
    {"tls_config", section, &kTlsSection},
};
constexpr Section kOpenstack{"openstack_sd_configs", kOpenstackFields, {}, check_openstack};

constexpr Field kOutscaleFields[] = {
    {"endpoint"},
    {"region"},
    {"access_key"},
    {"secret_key", secret},
    {"secret_key_file"},
    {"port", integer},
    {"refresh_interval", duration},
};
constexpr Section kOutscale{"outscale_sd_configs", kOutscaleFields, kWithHttpClient, check_outscale};

constexpr Field kOvhFields[] = {
    {"endpoint"},
    {"application_key"},
    {"application_secret", secret},
    {"consumer_key", secret},
    {"service"},
    {"refresh_interval", duration},
};
constexpr Section kOvh{"ovhcloud_sd_configs", kOvhFields, {}, check_ovhcloud};

constexpr Field kPuppetFields[] = {
    {"url", url}, {"query"}, {"include_parameters", boolean}, {"port", integer}, {"refresh_interval", duration},
};
constexpr Section kPuppet{"puppetdb_sd_configs", kPuppetFields, kWithHttpClient, check_puppetdb};

constexpr Field kScalewayFields[] = {
    {"role"},
    {"project_id"},
    {"access_key"},
    {"secret_key", secret},
    {"secret_key_file"},
    {"api_url"},
    {"zone"},
    {"name_filter"},
    {"tags_filter", string_list},
    {"port", integer},
    {"refresh_interval", duration},
};
constexpr Section kScaleway{"scaleway_sd_configs", kScalewayFields, kWithHttpClient, check_scaleway};

constexpr Field kStackitFields[] = {
    {"endpoint"},
    {"region"},
    {"project"},
    {"service_account_key", secret},
    {"private_key", secret},
    {"service_account_key_path"},
    {"private_key_path"},
    {"credentials_file_path"},
    {"port", integer},
    {"refresh_interval", duration},
};
constexpr Section kStackit{"stackit_sd_configs", kStackitFields, kWithHttpClient, check_stackit};

constexpr Field kTritonFields[] = {
    {"account"},
    {"role", string, nullptr, "container|cn"},
    {"dns_suffix"},
    {"endpoint"},
    {"groups", string_list},
    {"port", integer},
    {"refresh_interval", duration},
    {"version", integer},
    {"tls_config", section, &kTlsSection},
};
constexpr Section kTriton{"triton_sd_configs", kTritonFields, {}, check_triton};

constexpr Field kUyuniFields[] = {
    {"server", url}, {"username"}, {"password", secret}, {"entitlement"}, {"separator"}, {"refresh_interval", duration},
};
constexpr Section kUyuni{"uyuni_sd_configs", kUyuniFields, kWithHttpClient, check_uyuni};

constexpr Section kVultr{"vultr_sd_configs", kPortAndInterval, kWithHttpClient};

constexpr Field kStaticFields[] = {{"targets", string_list}, {"labels", string_map}};

constexpr Section kStatic{
    "static_configs", kStaticFields, {}, check_static_labels, "empty or null section in static_configs"};

/// A list of one kind of discovery, under its name.
constexpr Field built(const Section& kind) { return {kind.name, section_list, &kind}; }
constexpr Field unbuilt(const Section& kind) {
  return {kind.name, section_list, &kind, "", kNotDiscovered, "", /*refused=*/true};
}

constexpr Field kDiscoveryFields[] = {
    {"static_configs", section_list, &kStatic},
    unbuilt(kAws),
    unbuilt(kAzure),
    unbuilt(kConsul),
    unbuilt(kDigitalOcean),
    built(kDocker),
    unbuilt(kDockerSwarm),
    built(kDns),
    unbuilt(kEc2),
    unbuilt(kEureka),
    built(kFile),
    unbuilt(kGce),
    unbuilt(kHetzner),
    built(kHttp),
    unbuilt(kIonos),
    unbuilt(kKubernetes),
    unbuilt(kKuma),
    unbuilt(kLightsail),
    unbuilt(kLinode),
    unbuilt(kMarathon),
    unbuilt(kNerve),
    unbuilt(kNomad),
    unbuilt(kOci),
    unbuilt(kOpenstack),
    unbuilt(kOutscale),
    unbuilt(kOvh),
    unbuilt(kPuppet),
    unbuilt(kScaleway),
    unbuilt(kServerset),
    unbuilt(kStackit),
    unbuilt(kTriton),
    unbuilt(kUyuni),
    unbuilt(kVultr),
};

}  // namespace

constinit const Section kDiscoverySection{"service discovery", kDiscoveryFields};

}  // namespace pipit
