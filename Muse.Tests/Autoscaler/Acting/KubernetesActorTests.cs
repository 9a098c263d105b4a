using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Muse.Autoscaler;
using Muse.Queue;

namespace Muse.Tests.Autoscaler;

public sealed class KubernetesActorTests : IAsyncLifetime
{
    static readonly ScalingDecision Decision = new(7, "because", Facts.Now, "drain", new(0, 0, null, 0, 0, Facts.Now)) { Epoch = 1 };
    readonly FakeTimeProvider time = new(Facts.Now);
    FakeKubernetes server = null!;
    Leadership leadership = null!;
    KubernetesActor actor = null!;

    public async Task InitializeAsync()
    {
        server = await FakeKubernetes.StartAsync();
        leadership = new(new FakeFleet(time), time, NullLogger<Leadership>.Instance);
        await leadership.RenewAsync(default);
        actor = new(server.Client, leadership,
            Options.Create(new KubernetesOptions { Namespace = "muse", Deployment = "workers" }));
    }

    public async Task DisposeAsync() => await server.DisposeAsync();

    [Fact]
    public async Task It_reads_the_scale_of_the_workers_deployment_and_patches_that_version()
    {
        await actor.ActAsync(Decision, default);
        const string path = "/apis/apps/v1/namespaces/muse/deployments/workers/scale";
        Assert.Equal([("GET", path, null), ("PATCH", path, "application/merge-patch+json")],
            server.Requests.Select(request => (request.Verb, request.Path, request.Type)));
        Assert.True(JsonNode.DeepEquals(
            JsonNode.Parse("""{"metadata":{"resourceVersion":"10"},"spec":{"replicas":7}}"""), JsonNode.Parse(server.Requests[1].Body)));
        Assert.Equal(7, server.Replicas);
    }

    [Fact]
    public async Task A_number_that_is_right_is_not_patched()
    {
        server.Replicas = 7;
        await actor.ActAsync(Decision, default);
        Assert.Equal(["GET"], server.Requests.Select(request => request.Verb));
    }

    [Fact]
    public async Task A_leader_whose_lease_ended_while_it_read_does_not_patch()
    {
        server.Requested = verb =>
        {
            if (verb == "GET")
                time.Advance(Leadership.Lifetime);
        };
        await actor.ActAsync(Decision, default);
        Assert.Equal(["GET"], server.Requests.Select(request => request.Verb));
    }

    [Fact]
    public async Task A_leader_that_was_paused_between_its_check_and_its_patch_can_not_undo_what_the_next_one_did()
    {
        server.Requested = verb =>
        {
            if (verb != "PATCH")
                return;
            // The pause ends here: the next leader has scaled to 3 meanwhile.
            time.Advance(Leadership.Lifetime);
            (server.Replicas, server.Version) = (3, 11);
        };
        await actor.ActAsync(Decision, default);
        Assert.Equal(3, server.Replicas);
        Assert.Equal(["GET", "PATCH", "GET"], server.Requests.Select(request => request.Verb));
    }

    [Fact]
    public async Task A_conflict_with_a_change_of_the_deployments_status_is_tried_again()
    {
        var conflicts = 1;
        server.Requested = verb =>
        {
            if (verb == "PATCH" && conflicts-- > 0)
                server.Version++;
        };
        await actor.ActAsync(Decision, default);
        Assert.Equal(7, server.Replicas);
    }

    [Theory]
    [InlineData(403)]
    [InlineData(404)]
    public async Task An_error_of_the_API_server_is_thrown_for_the_loop_to_log(int status)
    {
        server.Status = status;
        await Assert.ThrowsAsync<k8s.Autorest.HttpOperationException>(() => actor.ActAsync(Decision, default));
    }
}
