-- one row per customer and festival lived through before :as_of: orders in it, those of them it brought, and as many of these as own rate and everybody's season make
with occurrences as (
    select
        festival,
        first_day,
        sum(season) as whole_season,
        sum(cast(season * brought as decimal(28, 9))) as brought_season,
        sum(cast(season * brought * brought as decimal(28, 9))) as brought_squares
    from festival_seasons
    group by festival, first_day
),

lived as (
    select
        lives.entity_id,
        lives.festival,
        count(*) as exposures,
        sum(seasons.whole_season) as season,
        sum(seasons.brought_season) as brought,
        sum(seasons.brought_squares) as brought_squares
    from festival_lives as lives
    inner join occurrences as seasons on lives.festival = seasons.festival and lives.first_day = seasons.first_day
    where lives.lived_through = 1
    group by lives.entity_id, lives.festival
),

bought as (
    select
        orders.entity_id,
        orders.festival,
        sum(orders.order_count) as order_count,
        sum(orders.order_count * seasons.brought) as festive_count
    from festival_orders as orders
    inner join festival_seasons as seasons
        on orders.festival = seasons.festival and orders.first_day = seasons.first_day and orders.day = seasons.day
    group by orders.entity_id, orders.festival
),

-- what is known of a customer's rate: orders in festivals and outside over their days, each weighing as its season
rated as (
    select
        lived.entity_id,
        lived.festival,
        lived.exposures,
        coalesce(bought.order_count, 0) as order_count,
        coalesce(bought.festive_count, 0) as festive_count,
        sum(coalesce(bought.order_count, 0)) over (partition by lived.entity_id) + plain.order_count as whole,
        cast(lived.brought as double)
        / (cast(sum(lived.season) over (partition by lived.entity_id) as double) + plain.day_count) as share,
        cast(lived.brought_squares as double)
        / (cast(sum(lived.season) over (partition by lived.entity_id) as double) + plain.day_count) as squares
    from lived
    inner join plain_days as plain on lived.entity_id = plain.entity_id
    left join bought on lived.entity_id = bought.entity_id and lived.festival = bought.festival
)

select
    entity_id,
    festival,
    cast(exposures as int) as exposures,
    cast(order_count as int) as order_count,
    cast(festive_count as decimal(18, 6)) as festive_count,
    cast(rounded(whole * share, 6) as decimal(18, 6)) as expected,
    cast(rounded(whole * (squares - share * share), 6) as decimal(18, 6)) as variance
from rated
