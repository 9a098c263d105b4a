using Muse.Queue;

namespace Muse.Tests.Queue;

public sealed class RateMeterTests
{
    static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Fact]
    public void Nothing_is_claimed_before_an_image_was_completed()
    {
        var meter = new RateMeter();
        for (var i = 0; i < 10; i++)
            meter.Observe(0, Second, worked: true, batchFull: true);
        Assert.Null(meter.ImagesPerSecond);
        meter.Observe(30, Second, worked: true, batchFull: true);
        Assert.Equal(30 / 11.0, meter.ImagesPerSecond!.Value, 6);
    }

    [Fact]
    public void One_image_at_a_time_says_nothing_of_what_a_full_batch_can_do()
    {
        var meter = new RateMeter();
        meter.Observe(2, 3 * Second, worked: true, batchFull: false);
        Assert.Null(meter.ImagesPerSecond);
    }

    [Fact]
    public void A_half_empty_batch_does_not_lower_the_figure_and_a_full_one_does()
    {
        var meter = new RateMeter();
        Observe(10, full: true);
        Assert.Equal(10, meter.ImagesPerSecond);
        Observe(1, full: false);
        Assert.Equal(10, meter.ImagesPerSecond);
        Observe(5, full: true);
        Assert.Equal(8.5, meter.ImagesPerSecond!.Value, 6);
        Observe(20, full: false);
        Assert.True(meter.ImagesPerSecond > 8.5);

        void Observe(int perSecond, bool full)
        {
            for (var i = 0; i < 2; i++)
                meter.Observe(perSecond, Second, worked: true, batchFull: full);
        }
    }

    [Fact]
    public void Idle_time_does_not_count()
    {
        var meter = new RateMeter();
        for (var i = 0; i < 100; i++)
            meter.Observe(0, Second, worked: false, batchFull: false);
        for (var i = 0; i < 2; i++)
            meter.Observe(4, Second, worked: true, batchFull: true);
        Assert.Equal(4, meter.ImagesPerSecond);
    }
}
