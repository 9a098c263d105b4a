using System.Text;
using Muse.Queue;

namespace Muse.Tests.Queue;

public sealed class QueueJsonTests
{
    [Fact]
    public void A_job_that_names_no_negative_prompt_has_an_empty_one()
    {
        var job = QueueJson.ReadJob(Encoding.UTF8.GetBytes(
            """{"Id":"a","Owner":"b","Prompt":"c","Seed":1,"Count":1,"CreatedAt":"2026-01-01T00:00:00Z","FromTheFuture":[]}"""), out _);
        Assert.Equal("", job!.NegativePrompt);
    }

    [Theory]
    [InlineData("""{"Id":"a","Owner":"b","Prompt":null,"Seed":1,"Count":1,"CreatedAt":"2026-01-01T00:00:00Z"}""")]
    [InlineData("""{"Id":"a","Owner":"b","Seed":1,"Count":1,"CreatedAt":"2026-01-01T00:00:00Z"}""")]
    [InlineData("""{"Id":"a","Owner":"b","Prompt":"c","Seed":1,"Count":11,"CreatedAt":"2026-01-01T00:00:00Z"}""")]
    [InlineData("""{"Id":"a","Owner":"b","Prompt":"c","Seed":1,"Count":1,"Format":77,"CreatedAt":"2026-01-01T00:00:00Z"}""")]
    [InlineData("null")]
    [InlineData("")]
    public void What_is_no_job_is_refused_with_a_reason(string json)
    {
        Assert.Null(QueueJson.ReadJob(Encoding.UTF8.GetBytes(json), out var reason));
        Assert.NotEqual("", reason);
    }
}
