-- one row per customer and festival lived through before :as_of: orders in it, and as many as own rate and everybody's season make
with lived as (
    select
        lives.entity_id,
        lives.festival,
        count(*) as exposures,
        sum(lives.order_count) as order_count,
        sum(lives.day_count * seasons.season) as weight
    from festival_lives as lives
    inner join festival_seasons as seasons on lives.festival = seasons.festival and lives.first_day = seasons.first_day
    where lives.lived_through = 1 and seasons.season is not null
    group by lives.entity_id, lives.festival
),

shares as (
    select
        lived.entity_id,
        lived.festival,
        lived.exposures,
        lived.order_count,
        sum(lived.order_count) over (partition by lived.entity_id) + plain.order_count as whole,
        cast(lived.weight as double)
        / (cast(sum(lived.weight) over (partition by lived.entity_id) as double) + plain.day_count) as share
    from lived
    inner join plain_days as plain on lived.entity_id = plain.entity_id
)

select
    entity_id,
    festival,
    cast(exposures as int) as exposures,
    cast(order_count as int) as order_count,
    cast(rounded(whole * share, 6) as decimal(18, 6)) as expected,
    cast(rounded(whole * share * (1 - share), 6) as decimal(18, 6)) as variance
from shares
