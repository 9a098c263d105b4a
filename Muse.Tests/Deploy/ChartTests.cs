using System.Text.RegularExpressions;
using k8s;
using k8s.Models;
using Muse.Api;
using Muse.Autoscaler;
using Muse.Diffusion;
using Muse.GpuWorker;
using Muse.Queue;
using Muse.ServiceDefaults;
using Muse.Tests.Infrastructure;

namespace Muse.Tests.Deploy;

/// <summary>The Helm chart, rendered by the real helm. No cluster is involved.</summary>
public sealed partial class ChartTests
{
    public static readonly TheoryData<string> AllValues = new("default", "own-redis", "two-gpu-models", "direct-scaling", "everything");

    static readonly (string Section, Type Options)[] Sections =
    [
        ("Api", typeof(ApiOptions)), ("Api__RateLimits", typeof(RateLimitOptions)), ("Autoscaler", typeof(AutoscalerOptions)),
        ("Autoscaler__Kubernetes", typeof(KubernetesOptions)), ("Queue", typeof(QueueOptions)), ("Worker", typeof(WorkerOptions)),
        ("Engine", typeof(EngineOptions)), ("Device", typeof(DeviceOptions)), ("Telemetry", typeof(TelemetryOptions)),
        ("ObjectStore", typeof(ObjectStoreOptions)),
    ];

    [SkippableTheory, MemberData(nameof(AllValues))]
    public async Task The_chart_has_no_lint_errors(string values) =>
        await Helm.RunAsync("lint", "--strict", Helm.Chart, "--values", Helm.Values(values));

    [SkippableTheory, MemberData(nameof(AllValues))]
    public async Task Every_object_has_only_properties_that_its_type_has(string values)
    {
        var objects = await Helm.RenderAsync(values);
        Assert.InRange(objects.Count, 10, 100);
        Assert.All(objects, each => Assert.Equal("images", each.Metadata.NamespaceProperty));
        Assert.All(objects, each => Assert.InRange(each.Metadata.Name.Length, 1, 63));
        Assert.Distinct(objects.Select(each => $"{each.Kind}/{each.Metadata.Name}"));
    }

    [SkippableTheory]
    [InlineData("spec:\n  replicas: ", "spec:\n  replica: ", "direct-scaling")]
    [InlineData("cooldownPeriod:", "cooldown:", "default")]
    [InlineData("targetLabel:", "target:", "everything")]
    public async Task A_property_that_a_type_does_not_have_is_found(string right, string wrong, string values)
    {
        var yaml = await Helm.RunAsync("template", "muse", Helm.Chart, "--values", Helm.Values(values));
        Assert.Contains(right, yaml);
        Assert.ThrowsAny<Exception>(() => Helm.Load(yaml.Replace(right, wrong)));
    }

    [SkippableTheory]
    [InlineData("autoscaler.mode", "autoscaler.mode=hpa")]
    [InlineData("worker.batchSize", "worker.batchSize=0")]
    [InlineData("worker.device", "worker.device=gpu")]
    [InlineData("repliccas", "api.repliccas=3")]
    [InlineData("gpus", "models.scenes.worker.gpus=1")]
    [InlineData("Scenes", "models.Scenes.name=scenes")]
    [InlineData("models.other.volume", "models.other.volume.image.reference=a,models.other.volume.emptyDir.medium=Memory")]
    [InlineData("redis.externalSecret is needed", "redis.enabled=false")]
    [InlineData("api.ingress.host is needed", "api.ingress.enabled=true")]
    [InlineData("existingSecret is needed", "api.webhooks.origins={https://example.com}")]
    [InlineData("minWorkers is above", "autoscaler.minWorkers=5")]
    [InlineData("autoscaler.replicas", "autoscaler.replicas=0")]
    [InlineData("hpaTolerance", "autoscaler.hpaTolerance=high")]
    [InlineData("objectStore.existingSecret is needed", "objectStore.bucket=images")]
    [InlineData("objectStore.endpoint", "objectStore.endpoint=minio:9000")]
    [InlineData("objectStore.prefix", "objectStore.prefix=muse")]
    [InlineData("oldestWaitSeconds", "monitoring.prometheusRule.oldestWaitSeconds=long")]
    [InlineData("kedaFrom", "networkPolicy.kedaFrom=keda")]
    public async Task A_wrong_value_is_refused_by_its_name(string name, string assignment)
    {
        var (exitCode, _, errors) = await Helm.TryAsync("template", "muse", Helm.Chart, "--set", assignment);
        Assert.NotEqual(0, exitCode);
        // The schema's messages separate names by slashes.
        Assert.Contains(name, errors.Replace('/', '.'));
    }

    [SkippableTheory, MemberData(nameof(AllValues))]
    public async Task Every_environment_variable_is_a_setting_that_the_programs_read(string values)
    {
        var known = MuseSettings.All.Select(setting => setting.Variable)
            .Concat(Sections.SelectMany(section => section.Options.GetProperties().Select(each => $"{section.Section}__{each.Name}")))
            .Concat(["ConnectionStrings__redis", "ASPNETCORE_HTTP_PORTS", "OTEL_EXPORTER_OTLP_ENDPOINT"]).ToHashSet();
        var variables = Pods(await Helm.RenderAsync(values)).SelectMany(pod => pod.Spec.Containers).Where(each => each.Name != "redis")
            .SelectMany(each => each.Env).Select(each => each.Name).Distinct().ToList();
        Assert.InRange(variables.Count, 10, 100);
        Assert.Empty(variables.Except(known));
    }

    [SkippableTheory, MemberData(nameof(AllValues))]
    public async Task Pods_have_no_rights_that_they_do_not_need(string values)
    {
        foreach (var pod in Pods(await Helm.RenderAsync(values)))
        {
            Assert.True(pod.Spec.SecurityContext.RunAsNonRoot);
            Assert.NotEqual(0, pod.Spec.SecurityContext.RunAsUser);
            Assert.Equal("RuntimeDefault", pod.Spec.SecurityContext.SeccompProfile.Type);
            var container = Assert.Single(pod.Spec.Containers);
            Assert.False(container.SecurityContext.AllowPrivilegeEscalation);
            Assert.True(container.SecurityContext.ReadOnlyRootFilesystem);
            Assert.Equal(["ALL"], container.SecurityContext.Capabilities.Drop);
            Assert.Null(container.SecurityContext.Capabilities.Add);
            var callsTheCluster = container.Env.Any(each => each is { Name: "MUSE_AUTOSCALE_ACTOR", Value: "kubernetes" }
                or { Name: "Autoscaler__Kubernetes__PodDeletionCost", Value: "true" });
            Assert.Equal(callsTheCluster, pod.Spec.AutomountServiceAccountToken);
        }
    }

    [SkippableTheory, MemberData(nameof(AllValues))]
    public async Task Selectors_select_the_pods_of_one_program_only(string values)
    {
        var objects = await Helm.RenderAsync(values);
        var pods = Pods(objects);
        var selectors = objects.OfType<V1Deployment>().Select(each => each.Spec.Selector.MatchLabels)
            .Concat(objects.OfType<V1StatefulSet>().Select(each => each.Spec.Selector.MatchLabels))
            .Concat(objects.OfType<V1Service>().Select(each => each.Spec.Selector))
            .Concat(objects.OfType<V1PodDisruptionBudget>().Select(each => each.Spec.Selector.MatchLabels));
        Assert.All(selectors, selector => Assert.Single(pods, pod => Selects(selector, pod.Metadata.Labels)));
    }

    [SkippableTheory, MemberData(nameof(AllValues))]
    public async Task Each_models_workers_are_scaled_by_its_own_autoscaler_and_by_nobody_else(string values)
    {
        var objects = await Helm.RenderAsync(values);
        var workers = Deployments(objects, "worker");
        var autoscalers = Deployments(objects, "autoscaler");
        Assert.Equal(workers.Count, Deployments(objects, "api").Count);
        foreach (var worker in workers)
        {
            var model = worker.Metadata.Labels["muse-model"];
            Assert.Equal(model, ModelKey.Of(Variable(worker, "MUSE_MODEL")!));
            var autoscaler = autoscalers.Single(each => each.Metadata.Labels["muse-model"] == model);
            var actor = Variable(autoscaler, "MUSE_AUTOSCALE_ACTOR");
            Assert.Equal(actor == Actors.None, worker.Spec.Replicas is not null);
            Assert.Equal(model, ModelKey.Of(Variable(autoscaler, "MUSE_MODEL")!));
            var scaled = objects.OfType<ScaledObject>().SingleOrDefault(each => each.Spec.ScaleTargetRef.Name == worker.Metadata.Name);
            Assert.Equal(actor == Actors.Keda, scaled is not null);
            Assert.Equal(actor == Actors.Kubernetes, Variable(autoscaler, "Autoscaler__Kubernetes__Deployment") == worker.Metadata.Name);
            if (scaled is not null)
            {
                Assert.Equal(Variable(autoscaler, "MUSE_MAX_WORKERS"), $"{scaled.Spec.MaxReplicaCount}");
                Assert.Equal(Variable(autoscaler, "MUSE_MIN_WORKERS"), $"{scaled.Spec.MinReplicaCount}");
                Assert.Equal(("external-push", "AverageValue"),
                    (Assert.Single(scaled.Spec.Triggers).Type, scaled.Spec.Triggers[0].MetricType));
                var service = objects.OfType<V1Service>().Single(each => each.Metadata.Name == autoscaler.Metadata.Name);
                var port = Assert.Single(service.Spec.Ports, each => each.Name == "grpc").Port;
                Assert.Equal($"{service.Metadata.Name}.images.svc:{port}", scaled.Spec.Triggers[0].Metadata["scalerAddress"]);
                Assert.Equal(Variable(autoscaler, "Autoscaler__KedaPort"), $"{port}");
            }
        }
    }

    [SkippableTheory, MemberData(nameof(AllValues))]
    public async Task An_autoscaler_may_do_in_the_cluster_what_it_does_and_no_more(string values)
    {
        var objects = await Helm.RenderAsync(values);
        foreach (var autoscaler in Deployments(objects, "autoscaler"))
        {
            var expected = new List<string>();
            if (Variable(autoscaler, "MUSE_AUTOSCALE_ACTOR") == Actors.Kubernetes)
                expected.Add($"get patch deployments/scale {Variable(autoscaler, "Autoscaler__Kubernetes__Deployment")}");
            if (Variable(autoscaler, "Autoscaler__Kubernetes__PodDeletionCost") == "true")
                expected.Add("patch pods/status ");
            var role = objects.OfType<V1Role>().SingleOrDefault(each => each.Metadata.Name == autoscaler.Metadata.Name);
            Assert.Equal(expected, role?.Rules.Select(rule =>
                $"{string.Join(' ', rule.Verbs)} {Assert.Single(rule.Resources)} {rule.ResourceNames?.Single()}") ?? []);
            if (role is null)
                continue;
            Assert.Equal("images", Variable(autoscaler, "Autoscaler__Kubernetes__Namespace"));
            Assert.Equal(autoscaler.Spec.Template.Spec.ServiceAccountName, Assert.Single(objects.OfType<V1RoleBinding>()
                .Single(each => each.RoleRef.Name == role.Metadata.Name).Subjects).Name);
        }
    }

    [SkippableFact]
    public async Task There_are_two_autoscalers_of_which_one_may_be_evicted_at_a_time()
    {
        var objects = await Helm.RenderAsync("default");
        var autoscaler = Assert.Single(Deployments(objects, "autoscaler"));
        Assert.Equal(2, autoscaler.Spec.Replicas);
        Assert.Equal("1", objects.OfType<V1PodDisruptionBudget>()
            .Single(each => each.Metadata.Name == autoscaler.Metadata.Name).Spec.MaxUnavailable);
        // A single one may be evicted, or its node could never be drained.
        Assert.DoesNotContain((await Helm.RenderAsync("direct-scaling")).OfType<V1PodDisruptionBudget>(),
            each => each.Metadata.Name.EndsWith("-autoscaler", StringComparison.Ordinal));
    }

    [SkippableFact]
    public async Task Workers_are_named_by_their_pods_so_that_deletion_costs_find_them()
    {
        var worker = Assert.Single(Deployments(await Helm.RenderAsync("default"), "worker"));
        Assert.Equal("metadata.name", Container(worker).Env.Single(each => each.Name == "MUSE_INSTANCE").ValueFrom.FieldRef.FieldPath);
    }

    [SkippableTheory]
    [InlineData("default", "0")]
    [InlineData("own-redis", null)]
    public async Task The_HPA_ignores_no_small_difference_unless_KEDA_is_too_old_for_that(string values, string? tolerance)
    {
        var behavior = Assert.Single((await Helm.RenderAsync(values)).OfType<ScaledObject>())
            .Spec.Advanced!.HorizontalPodAutoscalerConfig!.Behavior!;
        Assert.Equal((tolerance, tolerance), (behavior.ScaleUp.Tolerance?.ToString(), behavior.ScaleDown.Tolerance?.ToString()));
        Assert.Equal((0, 0), (behavior.ScaleUp.StabilizationWindowSeconds, behavior.ScaleDown.StabilizationWindowSeconds));
    }

    [SkippableFact]
    public async Task What_a_model_sets_holds_for_it_alone_and_the_rest_comes_from_the_sections()
    {
        var objects = await Helm.RenderAsync("two-gpu-models");
        var workers = Deployments(objects, "worker").ToDictionary(each => each.Metadata.Name);
        var (sdxl, turbo) = (workers["muse-sdxl-worker"], workers["muse-turbo-worker"]);
        Assert.Equal(2, workers.Count);
        Assert.Equal(("tensorrt", "cuda"), (Variable(sdxl, "MUSE_GPU_TYPE"), Variable(turbo, "MUSE_GPU_TYPE")));
        Assert.All(workers.Values, each => Assert.Equal("1", Container(each).Resources.Limits["nvidia.com/gpu"].ToString()));
        Assert.All(workers.Values, each => Assert.Equal("nvidia.com/gpu", Assert.Single(each.Spec.Template.Spec.Tolerations).Key));
        Assert.All(workers.Values, each => Assert.Equal("10", Variable(each, "Engine__CheckpointEvery")));
        var mount = Container(sdxl).VolumeMounts.Single(each => each.Name == "model");
        Assert.Equal((Variable(sdxl, "MUSE_MODEL"), true), (mount.MountPath, mount.ReadOnlyProperty));
        Assert.Equal("registry.example.com/models/sd-turbo:1",
            turbo.Spec.Template.Spec.Volumes.Single(each => each.Name == "model").Image.Reference);
        // Falsy values override true ones, too.
        Assert.Equal("muse-sdxl-api", Assert.Single(objects.OfType<V2HorizontalPodAutoscaler>()).Metadata.Name);
        Assert.Equal(["0", "1"], Deployments(objects, "autoscaler").Select(each => Variable(each, "MUSE_MIN_WORKERS")).Order());
    }

    [SkippableTheory, MemberData(nameof(AllValues))]
    public async Task Secrets_and_accounts_that_pods_name_are_made_or_are_the_users(string values)
    {
        var objects = await Helm.RenderAsync(values);
        var made = objects.OfType<V1Secret>().SelectMany(each => each.StringData.Keys.Select(key => (each.Metadata.Name, key)));
        string[] users = ["my-redis", "my-keys", "my-store", "hooks"];
        var monitors = objects.OfType<ServiceMonitor>().SelectMany(each => each.Spec.Endpoints)
            .Select(each => each.Authorization?.Credentials).OfType<V1SecretKeySelector>().Select(each => (each.Name, each.Key));
        var named = Pods(objects).SelectMany(pod => pod.Spec.Containers).SelectMany(each => each.Env)
            .Select(each => each.ValueFrom?.SecretKeyRef).OfType<V1SecretKeySelector>().Select(each => (each.Name, each.Key))
            .Concat(monitors).Where(each => !users.Contains(each.Name)).Distinct().ToList();
        Assert.Empty(named.Except(made));
        Assert.Equal(values == "own-redis", named.Count == 0);
        Assert.Empty(Pods(objects).Select(pod => pod.Spec.ServiceAccountName)
            .Except(objects.OfType<V1ServiceAccount>().Select(each => each.Metadata.Name)));
    }

    [SkippableFact]
    public async Task The_chart_makes_a_key_and_a_connection_string_that_the_programs_accept()
    {
        var secrets = (await Helm.RenderAsync("default")).OfType<V1Secret>().SelectMany(each => each.StringData).ToDictionary();
        Assert.Null(ApiKeys.Validate(secrets["api-keys"]));
        Assert.Equal($"operator:{secrets["metrics-key"]}:operator", secrets["api-keys"]);
        Assert.Contains($"password={secrets["password"]}", RedisConnectionString.Parse(secrets["connection-string"]).StackExchange);
    }

    [SkippableFact]
    public async Task A_worker_may_load_for_as_long_as_the_values_say()
    {
        var worker = Assert.Single(Deployments(await Helm.RenderAsync("default"), "worker"));
        var probe = Container(worker).StartupProbe;
        Assert.Equal(1200, probe.FailureThreshold * probe.PeriodSeconds);
    }

    [SkippableTheory, MemberData(nameof(AllValues))]
    public async Task A_worker_may_drain_before_it_is_killed(string values)
    {
        foreach (var worker in Deployments(await Helm.RenderAsync(values), "worker"))
        {
            var drain = double.Parse(Variable(worker, "MUSE_WORKER_DRAIN")!, System.Globalization.CultureInfo.InvariantCulture);
            // The host waits for 1.5 s more than the drain limit.
            Assert.InRange(worker.Spec.Template.Spec.TerminationGracePeriodSeconds!.Value, drain + 2, drain + 10);
        }
    }

    [SkippableFact]
    public async Task Every_value_is_described_in_the_README_and_the_README_describes_no_other()
    {
        var values = KubernetesYaml.Deserialize<Dictionary<string, object>>(await Helm.RunAsync("show", "values", Helm.Chart));
        var paths = Paths(values).Select(path => path.Replace("models.scenes", "models.KEY")).ToHashSet();
        var rows = File.ReadLines(Path.Combine(Helm.Chart, "README.md")).Where(line => line.StartsWith("| `", StringComparison.Ordinal));
        var described = rows.SelectMany(row => Code().Matches(row.Split(" | ")[0])).Select(match => match.Groups[1].Value).ToHashSet();
        Assert.Empty(described.Except(paths));
        var leaves = paths.Where(path => !paths.Any(other => IsWithin(other, path))).ToList();
        Assert.All(leaves, leaf => Assert.Contains(described, each => leaf == each || IsWithin(leaf, each)));
    }

    [SkippableFact]
    public async Task Prometheus_accepts_the_alert_rules()
    {
        var rules = Assert.Single((await Helm.RenderAsync("everything")).OfType<PrometheusRule>());
        var promtool = Helm.OnPath("promtool");
        Skip.If(promtool is null, "There is no promtool on the PATH (Debian, Ubuntu: apt-get install prometheus).");
        using var folder = new TemporaryFolder();
        var file = Path.Combine(folder.Path, "rules.yaml");
        await File.WriteAllTextAsync(file, KubernetesYaml.Serialize(rules.Spec));
        var (exitCode, output, errors) = await Helm.StartAsync(promtool!, "check", "rules", file);
        Assert.True(exitCode == 0, output + errors);
        Assert.Contains($"{rules.Spec.Groups.Sum(group => group.Rules.Count)} rules found", output);
    }

    [SkippableFact]
    public async Task Every_metric_of_the_alert_rules_is_in_the_code()
    {
        var rules = Assert.Single((await Helm.RenderAsync("everything")).OfType<PrometheusRule>());
        var asked = rules.Spec.Groups.SelectMany(group => group.Rules).SelectMany(rule => MetricNames().Matches(rule.Expr))
            .Select(match => match.Groups[1].Value).ToHashSet();
        Assert.Superset(
            new HashSet<string> { "up", "muse_workers", "muse_queue_waiting", "http_server_request_duration_seconds_count" }, asked);
        string[] projects = ["Muse.Api", "Muse.Autoscaler", "Muse.Diffusion", "Muse.GpuWorker", "Muse.Queue"];
        var instruments = projects
            .SelectMany(project => Directory.EnumerateFiles(Path.Combine(Repository.Root, project), "*.cs", SearchOption.AllDirectories))
            .SelectMany(file => Instruments().Matches(File.ReadAllText(file))).Select(match => match.Groups[1].Value.Replace('.', '_'))
            .ToHashSet();
        Assert.All(asked.Except(["up", "http_server_request_duration_seconds_count"]),
            name => Assert.Contains(Suffix().Replace(name, ""), instruments));
    }

    static IEnumerable<string> Paths(IDictionary<string, object> values) => values.SelectMany(each =>
        each.Value is IDictionary<object, object> { Count: > 0 } map
            ? Paths(map.ToDictionary(inner => inner.Key.ToString()!, inner => inner.Value)).Select(path => $"{each.Key}.{path}")
                .Prepend(each.Key)
            : [each.Key]);

    static bool IsWithin(string path, string section) => path.StartsWith(section + ".", StringComparison.Ordinal);

    static List<V1PodTemplateSpec> Pods(IReadOnlyList<IKubernetesObject<V1ObjectMeta>> objects) =>
    [
        .. objects.OfType<V1Deployment>().Select(each => each.Spec.Template),
        .. objects.OfType<V1StatefulSet>().Select(each => each.Spec.Template),
    ];

    static List<V1Deployment> Deployments(IReadOnlyList<IKubernetesObject<V1ObjectMeta>> objects, string component) =>
        [.. objects.OfType<V1Deployment>().Where(each => each.Metadata.Labels["app.kubernetes.io/component"] == component)];

    static V1Container Container(V1Deployment deployment) => Assert.Single(deployment.Spec.Template.Spec.Containers);

    static string? Variable(V1Deployment deployment, string name) =>
        Container(deployment).Env.LastOrDefault(each => each.Name == name)?.Value;

    static bool Selects(IDictionary<string, string> selector, IDictionary<string, string> labels) =>
        selector.All(each => labels.TryGetValue(each.Key, out var value) && value == each.Value);

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Code();

    [GeneratedRegex(@"\b((?:muse|http)_\w+|up)(?=\{)")]
    private static partial Regex MetricNames();

    [GeneratedRegex(@"(?:Gauge|Counter|Histogram)(?:<\w+>)?\(\s*""(muse\.[\w.]+)""")]
    private static partial Regex Instruments();

    [GeneratedRegex("(_seconds)?(_total)?$")]
    private static partial Regex Suffix();
}
